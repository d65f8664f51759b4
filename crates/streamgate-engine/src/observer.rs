//! Hearing what happened, for metrics and logs. Nothing decides by it.

use std::fmt;

use streamgate_core::admission::{HeartbeatOutcome, StartOutcome, StopOutcome};
use streamgate_core::{Event, UserKey};

/// Hears what the engine did. Called on the path of requests, so it must be quick.
pub trait Observer: Send + Sync + fmt::Debug + 'static {
    /// A change of this user was committed. Every started or revived session ends in exactly one `Ended`, here
    /// or after a restart.
    fn committed(&self, user: &UserKey, events: &[Event]);

    /// A player is about to be answered.
    fn answered(&self, answer: Answer<'_>);

    /// The store has heard of a session that was admitted without it, and has a slot for it or not.
    fn reconciled(&self, holds_slot: bool);

    /// The outcome of a commit was unknown, and the command is run again to find out.
    fn outcome_unknown(&self);

    /// So many records were looked at that cannot be read; the same ones again each time.
    fn damaged(&self, _records: usize) {}
}

/// What a player is told.
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
    /// To a heartbeat that was taken for good because the store could not be used.
    DegradedHeartbeat,
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn committed(&self, _user: &UserKey, _events: &[Event]) {}
    fn answered(&self, _answer: Answer<'_>) {}
    fn reconciled(&self, _holds_slot: bool) {}
    fn outcome_unknown(&self) {}
}
