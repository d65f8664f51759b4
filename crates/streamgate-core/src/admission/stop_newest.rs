//! Stop the newest: for callers that count sessions and cannot name them.

use crate::admission::{Command, Draft};
use crate::session::{EndReason, Session};

/// End the session that started last (`Stopped`), if it is the expected one.
///
/// Without a name a stop would not be safe to repeat: after a lost answer the second run would end
/// a second session. So the caller asks twice: with nothing expected it learns which session is the
/// newest, and then it names that one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StopNewest {
    /// The session that the caller takes for the newest. One that started at another time is not
    /// the same, although its name may be.
    pub expected: Option<Session>,
}

/// The answer to a stop of the newest session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopNewestOutcome {
    /// The expected session was the newest and held a slot, which is free now.
    Stopped {
        /// The number of slots still taken.
        active: u32,
    },
    /// Another session than the expected one is the newest. Nothing was changed.
    NewestIs {
        /// The newest.
        newest: Session,
        /// Whether the expected session was stopped before.
        was_stopped: bool,
    },
    /// No session is live.
    NoneLive {
        /// Whether the user exists at all ([`crate::Ledger::is_known`]).
        is_known: bool,
        /// Whether the expected session was stopped before.
        was_stopped: bool,
    },
}

impl StopNewest {
    fn expects(&self, session: &Session) -> bool {
        self.expected.as_ref().is_some_and(|expected| {
            (&expected.id, expected.started_at) == (&session.id, session.started_at)
        })
    }

    /// Whether the expected session was stopped, and not ended by anything else. One whose ending
    /// is no longer remembered counts as stopped: no heartbeat brings it back.
    fn was_stopped(&self, draft: &Draft<'_>) -> bool {
        let ledger = draft.ledger();
        self.expected.as_ref().is_some_and(|expected| {
            !ledger.live.iter().any(|session| self.expects(session))
                && ledger
                    .ending_of(&expected.id)
                    .is_none_or(|ending| ending.reason == EndReason::Stopped)
        })
    }
}

impl Command for StopNewest {
    type Outcome = StopNewestOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> StopNewestOutcome {
        let Some(newest) = draft.ledger().live.last().cloned() else {
            return StopNewestOutcome::NoneLive {
                is_known: draft.ledger().is_known(),
                was_stopped: self.was_stopped(draft),
            };
        };
        if !self.expects(&newest) {
            return StopNewestOutcome::NewestIs {
                newest,
                was_stopped: self.was_stopped(draft),
            };
        }
        draft.end(&newest.id, EndReason::Stopped, None);
        StopNewestOutcome::Stopped {
            active: draft.active(),
        }
    }

    /// The expected session was stopped. Another call may have stopped it; then this caller is
    /// told of that stop as its own, and one session fewer has ended than was asked for. The other
    /// way round, one too many would end.
    fn confirms(first: &Self::Outcome, second: &Self::Outcome) -> bool {
        let was_stopped = match second {
            StopNewestOutcome::Stopped { .. } => false,
            StopNewestOutcome::NewestIs { was_stopped, .. }
            | StopNewestOutcome::NoneLive { was_stopped, .. } => *was_stopped,
        };
        matches!(first, StopNewestOutcome::Stopped { .. }) && was_stopped
    }
}
