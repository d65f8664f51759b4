//! The decorator of stores: [`Intercepted`] replaces single calls of a store and passes on the others.

use std::sync::Arc;

use streamgate_core::{TenantId, UserKey};

use crate::backup::{Backup, BackupError};
use crate::notices::Notices;
use crate::port::{BoxFuture, Cursor, Page, Store, StoreError, Swept, Transaction};
use crate::step::Step;

/// What is replaced of a store. Each default passes the call on.
pub trait Intercept: Send + Sync + 'static {
    /// The store that is called.
    fn inner(&self) -> &dyn Store;

    /// As [`Store::transact`].
    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a> {
        self.inner().transact(key, step)
    }

    /// As [`Store::scan`].
    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.inner().scan(tenant, from, page_size)
    }

    /// As [`Store::sweep`].
    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        self.inner().sweep(from, budget, step)
    }

    /// As [`Store::check_ready`].
    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner().check_ready()
    }
}

/// A store in which calls are replaced.
#[derive(Debug)]
pub struct Intercepted<T>(pub T);

impl<T: Intercept> Store for Intercepted<T> {
    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a> {
        self.0.transact(key, step)
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.0.scan(tenant, from, page_size)
    }

    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        self.0.sweep(from, budget, step)
    }

    fn scans_may_repeat(&self) -> bool {
        self.0.inner().scans_may_repeat()
    }

    fn wall_offset_ms(&self) -> i64 {
        self.0.inner().wall_offset_ms()
    }

    fn format(&self) -> u8 {
        self.0.inner().format()
    }

    fn record_count(&self) -> Option<u64> {
        self.0.inner().record_count()
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.check_ready()
    }

    fn backup(&self) -> BoxFuture<'_, Result<Box<dyn Backup>, BackupError>> {
        self.0.inner().backup()
    }

    fn notices(&self) -> Option<Arc<dyn Notices>> {
        self.0.inner().notices()
    }

    fn is_shared(&self) -> bool {
        self.0.inner().is_shared()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.inner().close()
    }
}
