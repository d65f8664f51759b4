//! The contract of a store, in prose and types.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use streamgate_core::codec::NEWEST;
use streamgate_core::{Moment, TenantId, UserKey};

use crate::backup::{Backup, BackupError};
use crate::notices::Notices;
use crate::step::Step;

/// A future that can be sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a scan or sweep continues. Opaque, made by the store, valid across restarts of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub Vec<u8>);

/// A page of a scan ends with the record that brings it to this many bytes: copying it must not
/// keep a thread, a lock or a connection from other calls for long.
pub const PAGE_BYTES: usize = 256 * 1024;

/// A part of a scan.
#[derive(Debug, Clone)]
pub struct Page {
    /// Keys and their records; can be empty although more follow. What is stored under a key and is
    /// no value of this store comes as a record of no bytes, which is damaged for its reader.
    pub records: Vec<(UserKey, Vec<u8>)>,
    /// Where the scan continues; `None` at its end.
    pub next: Option<Cursor>,
    /// The time of this part, by the store's clock, and the last stall that the store noticed.
    pub now: Moment,
}

/// A part of a sweep.
#[derive(Debug, Clone)]
pub struct Swept {
    /// How many records were looked at.
    pub visited: usize,
    /// Where the sweep continues; `None` at its end.
    pub next: Option<Cursor>,
}

/// Why a store that answers refuses a call, in words for two readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For callers: a sentence without a full stop, and without names of servers, users or secrets,
    /// such as "the store refuses writes: its memory is full".
    pub told: &'static str,
    /// For the operator's log: the same with all details.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.told, self.why)
    }
}

/// Why a call of a store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached. Nothing was changed; a retry is safe.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store can be reached and refuses: its server is full, read-only, or not configured as it
    /// must be. Nothing was changed; a retry is safe, and helps once the cause is gone.
    #[error("{0}")]
    Refused(Refusal),
    /// The store has no room for a change that [needs some](crate::Change::needs_room). Nothing was
    /// changed; all other changes may still be made, and reads are answered.
    #[error("the store is full: {0}")]
    Full(String),
    /// The stored bytes are not a record, and why. Nothing was changed; a retry does not help.
    #[error("the stored record cannot be read: {0}")]
    Damaged(String),
    /// The change would make the record larger than the store can hold. Nothing was changed; a retry
    /// does not help, but changes that make it smaller are made.
    #[error("the record would be too large for the store: {0}")]
    TooLarge(String),
    /// The answer was lost: the change may or may not have been made. A read tells.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
    /// The change writes a record of this version, and nodes that cannot read it may share the
    /// store ([`Store::format`]). Nothing was changed.
    #[error("records of format {0} are not written to the store yet")]
    NeedsFormat(u8),
    /// The cursor was not made by this store.
    #[error("the cursor is not valid")]
    BadCursor,
}

/// A call of [`Store::transact`]: a future of its answer, which may be there already.
#[must_use = "the answer says whether the change is made"]
pub enum Transaction<'a> {
    /// The answer. Nothing was waited for.
    Done(Result<(), StoreError>),
    /// The answer is to come. The step may have run already.
    Pending(BoxFuture<'a, Result<(), StoreError>>),
}

impl Future for Transaction<'_> {
    type Output = Result<(), StoreError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Done(answer) => Poll::Ready(answer.clone()),
            Self::Pending(answer) => answer.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(answer) => f.debug_tuple("Done").field(answer).finish(),
            Self::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}

/// Keeps one record per key.
///
/// # Contract
///
/// **Atomic.** [`transact`](Store::transact) on a key takes effect at one moment between its call
/// and its answer, and no two on the same key overlap: the change that is stored was made by a run
/// of the step on exactly the record that it replaced. Keys do not affect each other.
///
/// **Current.** A step sees the effect of every transact on that key that was answered before.
///
/// **Durable.** When `transact` answers `Ok` to a change marked
/// [`Durability::Durable`](streamgate_core::Durability), the change survives what the store
/// promises to survive (a crash of the process, a power loss). That holds also for what the step
/// *saw*: an answer never depends on a change that a crash could still undo. `Relaxed` changes are
/// written soon, `Memory` changes need not be written.
///
/// **Honest.** `Unavailable`, `Refused`, `Full`, `TooLarge` and `Damaged` mean that nothing was
/// changed. A store that cannot know answers `OutcomeUnknown`. It never answers `Ok` to a durable
/// change that is not durable.
///
/// **Cancel-safe.** A caller may drop a [`Transaction`] at any time; the change is then made or not
/// made, never half of it. If it may have been made by then, the store detaches the step
/// ([`StepFn::detach`](crate::StepFn::detach)) and calls the callback as soon as it knows what
/// became of the change.
///
/// **Time.** `View::now` comes from one clock for all nodes that share the store if there is one (a
/// server's), else from the node. It is read while the record cannot change. Every step that runs
/// after a stall ([`streamgate_core::Stall`]) sees it in there, from the first one on.
pub trait Store: Send + Sync + 'static {
    /// Runs `step` on the record of `key` and stores what it returns, as one indivisible step. A
    /// step that returns `None` makes this a read.
    ///
    /// A store that can answer without I/O and without a durability wait, for the change and for
    /// what the step saw, returns [`Transaction::Done`]. So can a store that caches the record as
    /// this node wrote it last, if the step accepts that
    /// ([`StepFn::answer_from_cache`](crate::StepFn::answer_from_cache)).
    ///
    /// # Errors
    /// Each [`StoreError`] but [`StoreError::BadCursor`].
    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a>;

    /// Reads at most `page_size` records of a tenant, in the store's own order, from the beginning
    /// or from the end of an earlier page. Once they have [`PAGE_BYTES`] it reads no more; a server
    /// may have another bound (DynamoDB: 1 MB). A record that is there from the first page to the
    /// last is read exactly once; one that comes or goes meanwhile, at most once. If
    /// [`scans_may_repeat`](Store::scans_may_repeat), any may come again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::BadCursor`].
    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>>;

    /// Whether a scan may read a record more than once, because the server reorders keys while it
    /// grows or shrinks.
    fn scans_may_repeat(&self) -> bool {
        false
    }

    /// Runs `step` on about `budget` records, each as in [`transact`](Store::transact), so that
    /// expired sessions are removed from memory. It does not wait for the disk; after each change
    /// it calls [`StepFn::swept`](crate::StepFn::swept). A store that expires records by itself
    /// visits none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::BadCursor`].
    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>>;

    /// What to add to a time of this store to get wall-clock time, in milliseconds: not 0 if leases
    /// are counted by a clock that a step of the wall clock does not move. Costs no I/O.
    fn wall_offset_ms(&self) -> i64 {
        0
    }

    /// The newest version of records ([`streamgate_core::codec`]) that may be written to it, as far
    /// as that is known: lower than what this program can write while nodes of an earlier release
    /// may share the store. [`transact`](Store::transact) refuses others. Costs no I/O.
    fn format(&self) -> u8 {
        NEWEST
    }

    /// How many records there are; `None` if the store would have to count.
    fn record_count(&self) -> Option<u64>;

    /// Succeeds if the store can be used now. A store with a format mark reads it for that, and
    /// cannot be used where it names a version that this program does not read.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] says why it cannot.
    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Begins a backup. It holds the effect of every call that was answered before this one, and
    /// it is the state at one moment until the answer. The default is for stores that have nothing
    /// to restore from.
    ///
    /// # Errors
    /// Each [`BackupError`].
    fn backup(&self) -> BoxFuture<'_, Result<Box<dyn Backup>, BackupError>> {
        Box::pin(async {
            Err(BackupError::Elsewhere(
                "this store keeps nothing that could be restored",
            ))
        })
    }

    /// What other nodes commit, as the store's server tells it; `None` for a store that does not
    /// tell, or that no other node uses ([`is_shared`](Store::is_shared)).
    fn notices(&self) -> Option<Arc<dyn Notices>> {
        None
    }

    /// Whether other nodes may change what is in it.
    fn is_shared(&self) -> bool {
        false
    }

    /// Writes what is still to be written and stops. Every later call is `Unavailable`.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] where the last writes may not be on disk.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
