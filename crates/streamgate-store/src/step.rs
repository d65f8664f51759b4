//! A step: what a store runs on a record, what the step sees and returns, and how a store reports
//! the outcome of a dropped call.

use streamgate_core::codec::{encode_delta, encode_ledger};
use streamgate_core::{Decision, Durability, Moment, Policy, Timestamp, UserKey};

/// A record as a step sees it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The key of the record. A sweep visits keys that its caller does not know.
    pub key: &'a UserKey,
    /// The bytes; `None` if there is no record.
    pub record: Option<&'a [u8]>,
    /// The time, by the store's clock, and the last stall that the store noticed. For one user the
    /// time goes backwards only if that clock is set back; users may be on servers with different
    /// clocks.
    pub now: Moment,
}

/// What a record becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The bytes after the change; `None` removes the record.
    pub record: Option<Vec<u8>>,
    /// The same change as a delta (`streamgate_core::codec`), for stores that keep a log. Empty if
    /// a crash may lose it. A store that writes whole records tells other nodes of it, if at all
    /// ([`StepFn::notice`]).
    pub delta: Vec<u8>,
    /// When the change must be on disk.
    pub durability: Durability,
    /// When the record becomes garbage, for stores that expire records by themselves (TTL); `None`
    /// if it never does, or is removed.
    pub garbage_at: Option<Timestamp>,
    /// Whether it adds to what is stored. A full store refuses such a change, and accepts all
    /// others for as long as it can: heartbeats, stops, and changes that free slots.
    pub needs_room: bool,
}

impl Change {
    /// The change that a decision makes of its record; `None` if the decision changed nothing.
    /// `policy` is the one that it was made by.
    #[must_use]
    #[expect(clippy::inline_always, reason = "a call is 3 % of a decision")]
    #[inline(always)]
    pub fn of<T>(decision: &Decision<T>, policy: &Policy) -> Option<Self> {
        Some(Self {
            durability: decision.durability()?,
            record: encode_ledger(&decision.ledger),
            delta: encode_delta(&decision.events),
            garbage_at: decision.ledger.garbage_at(policy.revive_window),
            needs_room: decision.needs_room(),
        })
    }
}

/// A function of a record that keeps the result of its last run. Every closure of this signature is
/// one.
///
/// It is pure but for what it keeps: a store may run it more than once, and only the last run
/// counts. It is short and never blocks, because a store may hold a lock.
pub trait StepFn: Send {
    /// Looks at a record and returns what it becomes; `None` leaves it unchanged.
    fn run(&mut self, view: View<'_>) -> Option<Change>;

    /// Whether the call may be answered from a cached record at all. Asked before the cache is.
    fn accepts_cached(&self) -> bool {
        false
    }

    /// Looks at a cached record, which this node wrote last and other nodes may have changed since.
    /// `true` if the call can be answered from it; then nothing is read and nothing changed.
    fn answer_from_cache(&mut self, _cached: View<'_>) -> bool {
        false
    }

    /// What other nodes are told of the change of the last run
    /// (`streamgate_core::codec::encode_notice`), if that is more than its delta. Asked for only by
    /// a store that tells them ([`Notices`](crate::Notices)).
    fn notice(&self) -> Option<Vec<u8>> {
        None
    }

    /// In a sweep: the change of the last run has been made. A sweep calls this after each record
    /// that it changed, because it may fail or be dropped later; `transact` answers `Ok` instead.
    fn swept(&mut self) {}

    /// The call is dropped while the change of the last run is in flight. Returns the callback for
    /// its outcome, or `None` if no callback is needed.
    ///
    /// A call that is dropped without `detach` has not made the change of its last run, and never
    /// will.
    fn detach(&mut self) -> Option<CommitCallback> {
        None
    }
}

impl<F> StepFn for F
where
    F: FnMut(View<'_>) -> Option<Change> + Send,
{
    fn run(&mut self, view: View<'_>) -> Option<Change> {
        self(view)
    }
}

/// A step that a call borrows.
pub type Step<'a> = &'a mut (dyn StepFn + 'a);

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitResult {
    /// It is made, and as durable as it asked to be.
    Committed,
    /// It was not made, and never will be.
    NotCommitted,
    /// The store cannot find out.
    Unknown,
}

/// Called once, on any thread, with the outcome of a dropped call. It is short and never blocks.
pub type CommitCallback = Box<dyn FnOnce(CommitResult) + Send>;

/// Detaches a step if the call is dropped before the outcome of its change is known.
///
/// A store makes one once the change may have been made, and calls [`answered`](Self::answered)
/// when it knows. `then` takes the callback of a dropped call.
pub struct DetachOnDrop<'a, F: FnOnce(CommitCallback)>(Option<(Step<'a>, F)>);

impl<'a, F: FnOnce(CommitCallback)> DetachOnDrop<'a, F> {
    /// Guards a call whose outcome is not known yet.
    pub fn new(step: Step<'a>, then: F) -> Self {
        Self(Some((step, then)))
    }

    /// The outcome is known, and the caller is about to hear it.
    pub fn answered(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce(CommitCallback)> Drop for DetachOnDrop<'_, F> {
    fn drop(&mut self) {
        if let Some((step, then)) = self.0.take()
            && let Some(callback) = step.detach()
        {
            then(callback);
        }
    }
}

impl<F: FnOnce(CommitCallback)> std::fmt::Debug for DetachOnDrop<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DetachOnDrop").finish_non_exhaustive()
    }
}
