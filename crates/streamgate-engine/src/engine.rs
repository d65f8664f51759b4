//! The engine: one command at a time on the store, within a deadline.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use streamgate_clock::Clock;
use streamgate_core::{Policy, SessionId};
use streamgate_store::{Backup, BackupError, Notices, Store};
use tokio::sync::Semaphore;

use crate::error::EngineError;
use crate::fail_open::FailOpen;
use crate::ids::IdSource;
use crate::newer::NewerRecords;
use crate::observer::EngineObserver;
use crate::report::Reports;
use crate::wall::Wall;

/// How many times a command is run at most if its outcome stays unknown.
pub(crate) const ATTEMPTS_MAX: u32 = 3;

/// How many pages of lists are made concurrently, on all threads.
const PAGES_AT_ONCE: usize = 4;

/// How many batches decide many heartbeats of one user concurrently, on all threads: each keeps one
/// for ten milliseconds or more, and the other calls need one, too.
const CROWDS_AT_ONCE: usize = 1;

/// Settings of an engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineSettings {
    /// How long a call may take in the store, retries included.
    pub deadline: Duration,
    /// How long one pass of the sweep over all records takes at least.
    pub sweep_interval: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            sweep_interval: Duration::from_secs(30),
        }
    }
}

/// Runs commands on a store. One for all requests; share it.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    /// Replaced while calls are decided. A load takes no lock and touches no reference count that
    /// processors share: every heartbeat needs one.
    policy: ArcSwap<Policy>,
    pub(crate) observer: Arc<dyn EngineObserver>,
    pub(crate) reports: Arc<Reports>,
    ids: Arc<dyn IdSource>,
    pub(crate) settings: EngineSettings,
    pub(crate) fail_open: Option<FailOpen>,
    /// Permits to make a page of a list.
    pub(crate) page_permits: Semaphore,
    /// Permits to decide many heartbeats of one user.
    pub(crate) crowd_permits: Semaphore,
    pub(crate) newer: NewerRecords,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("policy", &self.policy())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine over a store. It fails closed: a call that the store cannot answer is an error,
    /// unless [`fail_open`](Self::fail_open) is called.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        policy: Arc<Policy>,
        ids: Arc<dyn IdSource>,
        observer: Arc<dyn EngineObserver>,
        settings: EngineSettings,
    ) -> Self {
        Self {
            store,
            policy: ArcSwap::new(policy),
            reports: Arc::new(Reports::new(Arc::clone(&observer))),
            observer,
            ids,
            settings,
            fail_open: None,
            page_permits: Semaphore::new(PAGES_AT_ONCE),
            crowd_permits: Semaphore::new(CROWDS_AT_ONCE),
            newer: NewerRecords::default(),
        }
    }

    /// Makes the engine fail open: it answers starts and heartbeats while the store cannot be used.
    /// `clock` is this node's.
    #[must_use]
    pub fn fail_open(mut self, clock: Arc<dyn Clock>) -> Self {
        self.fail_open = Some(FailOpen::new(clock));
        self
    }

    /// Whether players are answered without the store when it cannot be used.
    #[must_use]
    pub const fn fails_open(&self) -> bool {
        self.fail_open.is_some()
    }

    /// How many sessions this node admitted without the store that are not written to it yet.
    #[must_use]
    pub fn degraded_sessions(&self) -> usize {
        self.fail_open.as_ref().map_or(0, |open| open.memory.len())
    }

    /// Converts times of outcomes to wall-clock time.
    #[must_use]
    pub fn wall(&self) -> Wall {
        Wall::ahead_by(self.store.wall_offset_ms())
    }

    /// The rules that apply to every user now. Each step loads them once, so that a decision and
    /// what is stored of it follow the same rules.
    #[must_use]
    pub fn policy(&self) -> Guard<Arc<Policy>> {
        self.policy.load()
    }

    /// Replaces the rules. Steps in progress keep the old ones; live sessions keep their lease
    /// until their next heartbeat.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        self.policy.store(policy);
    }

    /// An id for a start that brings none.
    #[must_use]
    pub fn new_session_id(&self) -> SessionId {
        self.ids.session_id()
    }

    /// The same as a UUID of version 4, for dialects whose clients expect one.
    #[must_use]
    pub fn new_session_id_v4(&self) -> SessionId {
        self.ids.session_id_v4()
    }

    /// Succeeds if the store can be used, and no record was read lately that is newer than this
    /// program.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`], [`EngineError::Refused`], [`EngineError::DeadlineExceeded`],
    /// [`EngineError::NewerRecord`].
    pub async fn check_ready(&self) -> Result<(), EngineError> {
        self.newer.check()?;
        self.within_deadline(self.store.check_ready())
            .await?
            .map_err(EngineError::from)
    }

    /// How many users have a record; `None` if the store would have to count.
    #[must_use]
    pub fn record_count(&self) -> Option<u64> {
        self.store.record_count()
    }

    /// What other nodes commit, as [`Store::notices`].
    #[must_use]
    pub fn notices(&self) -> Option<Arc<dyn Notices>> {
        self.store.notices()
    }

    /// Whether other nodes may change what is in the store.
    #[must_use]
    pub fn shares_store(&self) -> bool {
        self.store.is_shared()
    }

    /// Begins a backup, as [`Store::backup`]: no deadline, because it waits for the disk.
    ///
    /// # Errors
    /// Each [`BackupError`].
    pub async fn backup(&self) -> Result<Box<dyn Backup>, BackupError> {
        self.store.backup().await
    }

    /// Writes what is still to be written and closes the store.
    ///
    /// # Errors
    /// [`EngineError::OutcomeUnknown`] if the last writes may not be on disk.
    pub async fn close(&self) -> Result<(), EngineError> {
        Ok(self.store.close().await?)
    }

    /// Waits for an answer of the store, at most until the deadline.
    pub(crate) async fn within_deadline<T>(
        &self,
        call: impl Future<Output = T>,
    ) -> Result<T, EngineError> {
        let deadline = self.settings.deadline;
        let mut call = pin!(call);
        // An answer without a wait needs no timer: nearly all heartbeats.
        if let Poll::Ready(answer) = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await {
            return Ok(answer);
        }
        tokio::time::timeout(deadline, call)
            .await
            .map_err(|_| EngineError::DeadlineExceeded(deadline.as_millis()))
    }
}
