//! Adopt: a session that was let play while no store could be asked comes to the ledger.

use crate::admission::{Command, Draft, Heartbeat, HeartbeatOutcome, Start, StartOutcome};
use crate::session::{EndReason, Ending};

/// A call of a player whose start was admitted without the ledger.
///
/// Where the ledger knows the session it is a heartbeat, because the start may have arrived after
/// all. Where it does not, it is the start, late: the same rules hold as for any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopt(pub Start);

impl Command for Adopt {
    /// `Revived` for a session that holds a slot only now; `Ended` as `Expired`, this very moment,
    /// for one that finds none.
    type Outcome = HeartbeatOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> HeartbeatOutcome {
        let id = &self.0.id;
        match (Heartbeat { id: id.clone() }).decide(draft) {
            HeartbeatOutcome::Unknown => {}
            known => return known,
        }
        match self.0.decide(draft) {
            StartOutcome::Admitted(now) | StartOutcome::AlreadyLive(now) => {
                HeartbeatOutcome::Revived {
                    session: now.session.held(),
                    limit: now.limit,
                    active: now.active,
                }
            }
            StartOutcome::Refused(_) | StartOutcome::Taken | StartOutcome::UnknownPlan(_) => {
                HeartbeatOutcome::Ended(Ending {
                    id: id.clone(),
                    ended_at: draft.now(),
                    reason: EndReason::Expired,
                    taken_by: None,
                    revivable: None,
                })
            }
        }
    }

    fn confirms(first: &HeartbeatOutcome, second: &HeartbeatOutcome) -> bool {
        Heartbeat::confirms(first, second)
    }
}
