//! Optimistic concurrency control: a [`Store`] over a server that compares versions.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use streamgate_core::codec::NEWEST;
use streamgate_core::{TenantId, UserKey};
use tokio::sync::Mutex;

use super::VersionedStore;
use super::attempt::Attempt;
use super::format::NewerFormat;
use super::record_cache::Cached;
use super::shared::Shared;
use crate::backup::{Backup, BackupError};
use crate::notices::Notices;
use crate::port::{BoxFuture, Cursor, Page, Store, StoreError, Swept, Transaction};
use crate::step::{Step, View};

/// In how many queues the calls of this node wait. Users are hashed to them, so two users rarely
/// share one.
const QUEUES: usize = 1_024;

/// A [`Store`] over a [`VersionedStore`], by optimistic concurrency control.
///
/// Calls of this node about one user queue here, so conflicts come only from other nodes, and
/// servers that charge for failed writes see few. If this node is the only writer of a record, as
/// behind a load balancer that routes by user, it commits on the cached record without a load, as
/// far as the server allows ([`Speculation`](super::Speculation)). If the answer to a commit is
/// lost, the version of the record tells whether it was made, unless another node wrote as well:
/// then the outcome is unknown. The caller bounds how long a call may take, by dropping it; a
/// commit that is in flight by then runs on, and its outcome goes to the callback of the step.
pub struct Optimistic<S> {
    shared: Shared<S>,
    queues: Box<[Mutex<()>]>,
    hasher: RandomState,
    closed: AtomicBool,
}

impl<S: VersionedStore> Optimistic<S> {
    /// A store over this one.
    #[must_use]
    pub fn new(remote: S) -> Self {
        Self {
            shared: Shared::new(remote),
            queues: (0..QUEUES).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
            closed: AtomicBool::new(false),
        }
    }

    /// The same store, which raises the format mark to `format` where it is lower, before it writes
    /// a record of that version.
    #[must_use]
    pub const fn raising_format_to(mut self, format: u8) -> Self {
        self.shared.raise_to = format;
        self
    }

    /// The server's store.
    #[must_use]
    pub fn remote(&self) -> &S {
        &self.shared.remote
    }

    /// Reads the format mark. While it names a version that this program cannot read, every call is
    /// refused.
    ///
    /// # Errors
    /// Those of the read; then the mark as read last still applies.
    pub async fn look_at_format(&self) -> Result<Result<(), NewerFormat>, StoreError> {
        self.shared.look_at_format().await
    }

    /// Raises the format mark where it is lower than this store was told to raise it to, also where
    /// servers have lost it; `true` if it was raised. Until then, a change that needs the newer
    /// version tries so itself, and all others are made.
    ///
    /// # Errors
    /// Those of the write.
    pub async fn raise_format(&self) -> Result<bool, StoreError> {
        self.shared.raise_format().await
    }

    /// Checks that the store is open and that all of its records can be read. The first call reads
    /// the format mark, if it could not be read when the store was started.
    async fn check_open(&self) -> Result<(), StoreError> {
        self.check_not_closed()?;
        self.shared.learn_format().await
    }

    /// As [`check_open`](Self::check_open), without asking the server: a mark that is not known yet
    /// refuses nothing.
    fn check_known(&self) -> Result<(), StoreError> {
        self.check_not_closed()?;
        Ok(self.shared.format.check()?)
    }

    fn check_not_closed(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the store is closed".to_owned()));
        }
        Ok(())
    }

    fn queue(&self, key: &UserKey) -> &Mutex<()> {
        let hash = self.hasher.hash_one(key.as_bytes());
        let queues = self.queues.len() as u64;
        let at = usize::try_from(hash % queues).expect("fewer queues than an index can name");
        &self.queues[at]
    }

    async fn run(&self, key: &UserKey, step: Step<'_>) -> Result<(), StoreError> {
        self.check_open().await?;
        let _turn = self.queue(key).lock().await;
        let mut attempt = Attempt::begin(&self.shared, key).await?;
        while !attempt.run_once(step).await? {}
        Ok(())
    }

    /// Whether the step takes its answer from the cached record.
    fn is_answered_from_cache(&self, key: &UserKey, step: Step<'_>) -> bool {
        if !step.accepts_cached() || self.check_known().is_err() {
            return false;
        }
        let Shared { remote, cache, .. } = &self.shared;
        match (remote.speculation(key).now(), cache.get(key)) {
            (Some(now), Some(Cached::Written(written))) => step.answer_from_cache(View {
                key,
                record: Some(&written.record),
                now,
            }),
            _ => false,
        }
    }
}

impl<S: VersionedStore> Store for Optimistic<S> {
    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a> {
        if self.is_answered_from_cache(key, step) {
            return Transaction::Done(Ok(()));
        }
        Transaction::Pending(Box::pin(self.run(key, step)))
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            self.check_open().await?;
            self.remote().scan(tenant, from, page_size).await
        })
    }

    fn scans_may_repeat(&self) -> bool {
        self.remote().scans_may_repeat()
    }

    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        Box::pin(async move {
            // Most remote stores are not swept, and ask no server here.
            self.check_known()?;
            self.remote().sweep(from, budget, step).await
        })
    }

    fn format(&self) -> u8 {
        let Shared {
            format, raise_to, ..
        } = &self.shared;
        if format.is_known() {
            format.writable().max(*raise_to)
        } else {
            NEWEST
        }
    }

    fn record_count(&self) -> Option<u64> {
        None
    }

    fn backup(&self) -> BoxFuture<'_, Result<Box<dyn Backup>, BackupError>> {
        Box::pin(async { Err(BackupError::Elsewhere(self.remote().backup_advice())) })
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.check_not_closed()?;
            self.remote().check_ready().await?;
            Ok(self.look_at_format().await??)
        })
    }

    fn notices(&self) -> Option<Arc<dyn Notices>> {
        self.remote().notices()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.closed.store(true, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}

impl<S: fmt::Debug> fmt::Debug for Optimistic<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Optimistic")
            .field("remote", &self.shared.remote)
            .finish_non_exhaustive()
    }
}
