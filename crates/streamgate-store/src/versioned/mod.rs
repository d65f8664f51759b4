//! Stores on servers, by optimistic concurrency: load a record with its version, and replace it if
//! it still has that version (compare-and-set). [`Optimistic`] makes a [`Store`](crate::Store) of
//! one.
//!
//! What is *not* here: connections, and what a server keeps beside the bytes; see each server's
//! store.

mod attempt;
mod format;
mod in_flight;
mod optimistic;
mod record_cache;
mod remote;
mod shared;
mod version;

pub use format::NewerFormat;
pub use optimistic::Optimistic;
pub use remote::{NotUsable, RemoteStore, Started};
pub use version::Version;

use std::sync::Arc;

use streamgate_core::{Moment, TenantId, Timestamp, UserKey};

use crate::notices::Notices;
use crate::port::{BoxFuture, Cursor, Page, StoreError, Swept};
use crate::step::Step;

/// A record as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The bytes; `None` if there is no record.
    pub record: Option<Vec<u8>>,
    /// The version of these bytes; [`Version::NONE`] if there is no record.
    pub version: Version,
    /// The time of the load, by the server's clock if it has one to ask, and the last stall.
    pub now: Moment,
}

/// What a record becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The bytes; `None` removes the record.
    pub record: Option<Vec<u8>>,
    /// The version of these bytes, never used before.
    pub version: Version,
    /// When the record becomes garbage, which the server may then remove by itself (TTL); `None` if
    /// never.
    pub garbage_at: Option<Timestamp>,
    /// The time by which this was decided, if it is the node's estimate
    /// ([`VersionedStore::speculation`]). A server with a clock of its own answers with a conflict
    /// if that time is in its future, or long past.
    pub decided_at: Option<Timestamp>,
    /// Whether it adds to what is stored, as [`Change::needs_room`](crate::Change::needs_room)
    /// says.
    pub needs_room: bool,
    /// What other nodes are told, by a server that has [`Notices`]. Empty if nothing is, as of a
    /// renewed lease.
    pub notice: Vec<u8>,
}

/// Whether a commit may be speculative (made on a cached record, without a load), and the time to
/// decide by (the node's estimate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speculation {
    /// Never speculate: load first.
    Never,
    /// Speculate on the cached record if no other node seems to write it. For servers where a
    /// failed commit is expensive.
    IfSoleWriter(Moment),
    /// Always speculate: on the cached record, or else on "no record". A failed commit returns the
    /// current record, so it costs no more than the load it replaces.
    Always(Moment),
}

impl Speculation {
    /// The time, by the node's estimate.
    #[must_use]
    pub const fn now(self) -> Option<Moment> {
        match self {
            Self::Never => None,
            Self::IfSoleWriter(now) | Self::Always(now) => Some(now),
        }
    }
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// The record is what was written.
    Done,
    /// The record had another version than expected: this one. Nothing was changed.
    Conflict(Loaded),
}

/// Keeps bytes and a version per key on a server.
///
/// # Contract
///
/// **Atomic.** A commit takes effect at one moment between its call and its answer, or not at all,
/// and only where the record has exactly the expected version at that moment.
///
/// **Current.** A load sees the effect of every commit on that key that was answered before.
///
/// **Durable.** A commit that answered [`Committed::Done`] survives what its server promises to
/// survive; the operator's guide says what that is.
///
/// **Honest.** [`StoreError::Unavailable`], [`StoreError::Refused`] and [`StoreError::Damaged`]
/// mean that nothing was changed. A commit whose answer was lost is [`StoreError::OutcomeUnknown`],
/// also if the call timed out: the server may still do it.
///
/// **Repeatable.** A commit that is sent again after it took effect is [`Committed::Done`] while
/// the record has the version that it wrote, and changes nothing. One that removes the record may
/// be answered with a conflict without a record instead.
///
/// **Cancel-safe.** A caller may drop the future at any time.
///
/// **Garbage.** The server may remove a record once its `garbage_at` is past, and never before.
/// Nothing relies on the removal.
pub trait VersionedStore: Send + Sync + 'static {
    /// Loads the record of a key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn load<'a>(&'a self, key: &'a UserKey) -> BoxFuture<'a, Result<Loaded, StoreError>>;

    /// Replaces the record of a key that has the version `expected`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::OutcomeUnknown`].
    fn commit<'a>(
        &'a self,
        key: &'a UserKey,
        expected: Version,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Committed, StoreError>>;

    /// Whether a commit on this key may be speculative now.
    fn speculation(&self, _key: &UserKey) -> Speculation {
        Speculation::Never
    }

    /// Answers [`Committed::Done`] once the record of this version is as durable as a commit, so
    /// that an answer may depend on it. The default is for stores whose loads see durable records
    /// only.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn confirm<'a>(
        &'a self,
        _key: &'a UserKey,
        _seen: Version,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async { Ok(Committed::Done) })
    }

    /// As [`Store::scan`](crate::Store::scan).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::BadCursor`].
    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>>;

    /// As [`Store::scans_may_repeat`](crate::Store::scans_may_repeat).
    fn scans_may_repeat(&self) -> bool {
        false
    }

    /// As [`Store::sweep`](crate::Store::sweep). The default visits no record: it is for servers
    /// that remove records by themselves once their [`Write::garbage_at`] is past.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::BadCursor`].
    fn sweep<'a>(
        &'a self,
        _from: Option<&'a Cursor>,
        _budget: usize,
        _step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        Box::pin(async {
            Ok(Swept {
                visited: 0,
                next: None,
            })
        })
    }

    /// The format mark: the newest version of records that may occur; `None` if there is no mark,
    /// and so only the first version. It is an entry of the store's own under a key that no user
    /// has, written before the first newer record, and stays. A read sees every raise that was
    /// answered before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn format_mark(&self) -> BoxFuture<'_, Result<Option<u32>, StoreError>>;

    /// Sets the format mark to `to`, unless it is that or higher already: a mark is never lowered.
    /// Answers the mark that stands then. It is as durable as a commit, also one that stood before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; the mark may have been raised all the same.
    fn raise_format_mark(&self, to: u8) -> BoxFuture<'_, Result<u32, StoreError>>;

    /// As [`Store::notices`](crate::Store::notices). A store that has them tells other nodes the
    /// notice of each commit that has one ([`Write::notice`]), in the same atomic step.
    fn notices(&self) -> Option<Arc<dyn Notices>> {
        None
    }

    /// What an operator uses to back up this kind of server, in a sentence without a full stop.
    fn backup_advice(&self) -> &'static str {
        "the data is on another server: back it up there"
    }

    /// Succeeds if the server can be used now, for reading and for writing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] says why it cannot.
    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
