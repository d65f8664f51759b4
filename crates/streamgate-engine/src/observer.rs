//! Observing what happened, for metrics and logs. No decision depends on it.

use std::fmt;
use std::sync::Arc;

use streamgate_core::admission::{HeartbeatOutcome, Refused, Start, StartOutcome, StopOutcome};
use streamgate_core::{Event, UserKey};

/// Called with what the engine did, on the path of requests: it must be quick. Any thread may call
/// it. An observer implements what it listens to; the rest does nothing.
pub trait EngineObserver: Send + Sync + fmt::Debug + 'static {
    /// A change of this user was committed: it is in the store, as durable as its events ask to be,
    /// and every later call sees it.
    ///
    /// Each change is reported once, by the node that committed it, even if its call was dropped.
    /// The events of one change come together and in order; changes of calls at the same time may
    /// come in another order than they were committed in. Changes in which nothing but leases was
    /// renewed are not reported.
    ///
    /// So a session that started or was revived ends in exactly one `Ended`, on the node that ended
    /// it or found its lease to be over. What is left out:
    /// - what a process had not reported yet when it died;
    /// - sessions that were started before a restart (the embedded store counts those that it
    ///   recovered);
    /// - expiries of users without calls until the server removes their record (Redis, DynamoDB),
    ///   since such stores are not swept;
    /// - if the answer to a commit was lost and other nodes changed the record at the same time,
    ///   what the record does not show (docs/adr/0015): a session that came and went beyond what a
    ///   ledger remembers, a change of plan, limit or profile that others have replaced, an expiry
    ///   that two nodes found at once, which both report.
    fn committed(&self, _user: &UserKey, _events: &[Event]) {}

    /// A player is about to be answered.
    fn answered(&self, _answer: Answer<'_>) {}

    /// This start of this user is about to be refused. Nothing was committed.
    fn refused(&self, _user: &UserKey, _start: &Start, _refused: &Refused) {}

    /// The sweep has read the record of this user; `live` is its number of live sessions then.
    /// Calls at the same time may be reported before or after it. Only for stores that are swept.
    fn swept(&self, _user: &UserKey, _live: usize) {}

    /// A session that was admitted without the store was written to it, and holds a slot there or
    /// not.
    fn reconciled(&self, _holds_slot: bool) {}

    /// The outcome of a commit was unknown, and the command is run again to find out.
    fn outcome_unknown(&self) {}

    /// This many records cannot be read. Each read of the same record counts again.
    fn damaged(&self, _records: usize) {}

    /// A call about this user has no outcome, through no fault of its caller: the store gave none,
    /// the user's record cannot be read, or the program panicked. Its caller is told so (5xx).
    /// Called for each such call, those of batches included, but not for work that no caller waits
    /// for.
    fn failed(&self, _user: &UserKey) {}
}

/// The answer to a player.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// To a start.
    Start(&'a StartOutcome),
    /// To a heartbeat.
    Heartbeat(&'a HeartbeatOutcome),
    /// To a stop.
    Stop(&'a StopOutcome),
    /// To a start that was admitted because the store could not be used.
    DegradedStart,
    /// To a heartbeat that was answered without the store because that could not be used.
    DegradedHeartbeat,
}

/// Several observers, called one after the other.
#[derive(Debug, Clone)]
pub struct Observers(Box<[Arc<dyn EngineObserver>]>);

impl Observers {
    /// An observer that calls all of these.
    #[must_use]
    pub fn new(observers: impl IntoIterator<Item = Arc<dyn EngineObserver>>) -> Self {
        Self(observers.into_iter().collect())
    }
}

impl EngineObserver for Observers {
    fn committed(&self, user: &UserKey, events: &[Event]) {
        self.0.iter().for_each(|one| one.committed(user, events));
    }

    fn answered(&self, answer: Answer<'_>) {
        self.0.iter().for_each(|one| one.answered(answer));
    }

    fn refused(&self, user: &UserKey, start: &Start, refused: &Refused) {
        self.0
            .iter()
            .for_each(|one| one.refused(user, start, refused));
    }

    fn swept(&self, user: &UserKey, live: usize) {
        self.0.iter().for_each(|one| one.swept(user, live));
    }

    fn reconciled(&self, holds_slot: bool) {
        self.0.iter().for_each(|one| one.reconciled(holds_slot));
    }

    fn outcome_unknown(&self) {
        self.0.iter().for_each(|one| one.outcome_unknown());
    }

    fn damaged(&self, records: usize) {
        self.0.iter().for_each(|one| one.damaged(records));
    }

    fn failed(&self, user: &UserKey) {
        self.0.iter().for_each(|one| one.failed(user));
    }
}

/// An observer that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl EngineObserver for NoObserver {}
