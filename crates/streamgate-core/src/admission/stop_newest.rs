//! Stop the newest: for callers that count sessions and cannot name them.

use crate::admission::{Command, Draft};
use crate::ids::SessionId;
use crate::session::EndReason;

/// End the session that started last (`Stopped`), if it is the expected one.
///
/// Without a name a stop would not be safe to repeat: after a lost answer the second run would end
/// a second session. So the caller asks twice: with nothing expected it learns which session is the
/// newest, and then it names that one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StopNewest {
    /// The session that the caller takes for the newest.
    pub expected: Option<SessionId>,
}

/// The answer to a stop of the newest session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopNewestOutcome {
    /// The expected session was the newest and held a slot, which is free now.
    Stopped {
        /// The number of slots still taken.
        active: u32,
    },
    /// This session is the newest, and not the expected one. Nothing was changed.
    NewestIs(SessionId),
    /// No session is live.
    NoneLive {
        /// Whether the user exists at all ([`crate::Ledger::is_known`]).
        is_known: bool,
    },
}

impl Command for StopNewest {
    type Outcome = StopNewestOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> StopNewestOutcome {
        let Some(newest) = draft.ledger().live.last().map(|session| session.id.clone()) else {
            let is_known = draft.ledger().is_known();
            return StopNewestOutcome::NoneLive { is_known };
        };
        if self.expected.as_ref() != Some(&newest) {
            return StopNewestOutcome::NewestIs(newest);
        }
        draft.end(&newest, EndReason::Stopped, None);
        StopNewestOutcome::Stopped {
            active: draft.active(),
        }
    }

    /// The expected session is live no more. Somebody else may have ended it; then this caller is
    /// told of that stop as its own, and one session fewer has ended than was asked for.
    fn was_done(first: &Self::Outcome, second: &Self::Outcome) -> bool {
        matches!(first, StopNewestOutcome::Stopped { .. })
            && !matches!(second, StopNewestOutcome::Stopped { .. })
    }
}
