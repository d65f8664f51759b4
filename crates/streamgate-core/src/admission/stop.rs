//! Stop: a session gives its slot back.

use crate::admission::{Command, Draft};
use crate::ids::SessionId;
use crate::session::{EndReason, Ending};

/// End a session. Idempotent: a session that has ended stays so, and one that expired cannot be
/// revived any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The session.
    pub id: SessionId,
    /// Why: [`EndReason::Stopped`] by its player, [`EndReason::Revoked`] by an operator.
    pub reason: EndReason,
}

/// The answer to a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopOutcome {
    /// The session held a slot, which is free now.
    Stopped,
    /// The session had ended before; if it had expired, it counts as stopped from now on.
    AlreadyEnded(Ending),
    /// The user never had this session, or its ending is no longer remembered.
    Unknown,
}

impl Command for Stop {
    type Outcome = StopOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> StopOutcome {
        assert!(
            matches!(self.reason, EndReason::Stopped | EndReason::Revoked),
            "only a player or an operator stops a session; everything else is decided here"
        );
        if draft.ledger().find(&self.id).is_some() {
            draft.end(&self.id, self.reason, None);
            return StopOutcome::Stopped;
        }
        // A session that was reported as stopped must not come back.
        draft.make_final(&self.id, self.reason, None);
        match draft.ledger().ending_of(&self.id) {
            Some(ending) => StopOutcome::AlreadyEnded(ending.clone()),
            None => StopOutcome::Unknown,
        }
    }

    /// A stop ended it, and nothing else did: a player whose session was evicted must hear
    /// that. One that is forgotten was live in the first run, so it has ended since.
    fn confirms(_first: &StopOutcome, second: &StopOutcome) -> bool {
        match second {
            StopOutcome::Stopped => false,
            StopOutcome::AlreadyEnded(ending) => {
                matches!(ending.reason, EndReason::Stopped | EndReason::Revoked)
            }
            StopOutcome::Unknown => true,
        }
    }
}
