//! What all calls of one node over a remote store share: server, cache and format mark.

use std::sync::Arc;

use streamgate_core::codec::{OLDEST, check_version};
use tokio::sync::Mutex;

use super::VersionedStore;
use super::format::{Format, NewerFormat};
use super::in_flight::Detached;
use super::record_cache::RecordCache;
use crate::port::StoreError;

pub(super) struct Shared<S> {
    pub(super) remote: Arc<S>,
    pub(super) cache: RecordCache,
    pub(super) detached: Detached,
    pub(super) format: Format,
    /// What the format mark is raised to.
    pub(super) raise_to: u8,
    /// Held from a read of the mark until it is learned, so that none overtakes a later one.
    mark: Mutex<()>,
}

impl<S> Shared<S> {
    pub(super) fn new(remote: S) -> Self {
        Self {
            remote: Arc::new(remote),
            cache: RecordCache::new(),
            detached: Detached::new(),
            format: Format::unknown(),
            raise_to: OLDEST,
            mark: Mutex::new(()),
        }
    }
}

impl<S: VersionedStore> Shared<S> {
    /// Reads the format mark.
    pub(super) async fn look_at_format(&self) -> Result<Result<(), NewerFormat>, StoreError> {
        let _turn = self.mark.lock().await;
        self.format.learn(self.remote.format_mark().await?);
        Ok(self.format.check())
    }

    /// Reads the format mark unless it is known already, and checks that all records can be read.
    pub(super) async fn learn_format(&self) -> Result<(), StoreError> {
        if !self.format.is_known() {
            let _turn = self.mark.lock().await;
            if !self.format.is_known() {
                self.format.learn(self.remote.format_mark().await?);
            }
        }
        Ok(self.format.check()?)
    }

    /// Raises the format mark where it is lower than `raise_to`; `true` if it was.
    pub(super) async fn raise_format(&self) -> Result<bool, StoreError> {
        let _turn = self.mark.lock().await;
        if self.format.writable() >= self.raise_to {
            return Ok(false);
        }
        let mark = self.remote.raise_format_mark(self.raise_to).await?;
        self.format.learn(Some(mark));
        self.format.check()?;
        Ok(true)
    }

    /// Checks that a record may be written in the place of another: its version is in use, or that
    /// of the other already. Most records need no newer version than the oldest, so this asks the
    /// server only for the first that does.
    pub(super) async fn allow_version(
        &self,
        record: &[u8],
        replaced: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let version = version_of(record);
        let is_allowed = || version <= self.format.writable();
        if is_allowed() || replaced.is_some_and(|replaced| version <= version_of(replaced)) {
            return Ok(());
        }
        if version <= self.raise_to {
            self.raise_format().await?;
        }
        if is_allowed() {
            Ok(())
        } else {
            Err(StoreError::NeedsFormat(version))
        }
    }
}

/// The version of a record; the oldest for bytes that are none.
fn version_of(record: &[u8]) -> u8 {
    check_version(record).map_or(OLDEST, |()| record[0])
}
