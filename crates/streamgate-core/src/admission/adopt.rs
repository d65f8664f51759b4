//! Adopt: a session that was let play while no store could be asked comes to the ledger.

use crate::admission::{Alive, Command, Draft, Heartbeat, HeartbeatOutcome, Start, StartOutcome};
use crate::session::{EndReason, Ending, Session};

/// A call of a player whose start was admitted without the ledger.
///
/// Where the ledger knows the session it is a heartbeat, because the start may have arrived after
/// all. Where it does not, it is the start, late: the same rules hold as for any other. A session
/// that is live on another device is not this one, and is left as it is; one of another device that
/// has expired is not revived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopt(pub Start);

impl Adopt {
    /// The answer to a player whose session holds no slot.
    fn over(&self, draft: &Draft<'_>) -> HeartbeatOutcome {
        HeartbeatOutcome::Ended(Ending {
            id: self.0.id.clone(),
            ended_at: draft.now(),
            reason: EndReason::Expired,
            taken_by: None,
            session: None,
        })
    }
}

impl Command for Adopt {
    /// `Revived` for a session that holds a slot only now; `Ended` as `Expired`, this very moment,
    /// for one that finds none, or whose id is that of a session of another device.
    type Outcome = HeartbeatOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> HeartbeatOutcome {
        let id = &self.0.id;
        let differs = |session: Option<&Session>| {
            session.is_some_and(|session| self.0.differs_in_device(session))
        };
        if differs(draft.ledger().find(id)) {
            return self.over(draft);
        }
        let ending = draft.ledger().ending_of(id);
        // The id of a session that has expired is free, so a heartbeat must not revive it for
        // another device.
        if !differs(ending.and_then(|ending| ending.session.as_deref())) {
            match (Heartbeat { id: id.clone() }).decide(draft) {
                HeartbeatOutcome::Unknown => {}
                known => return known,
            }
        }
        match self.0.decide(draft) {
            StartOutcome::Admitted(now) | StartOutcome::AlreadyLive(now) => {
                HeartbeatOutcome::Revived(Alive {
                    session: now.session.held(),
                    limit: now.limit,
                    active: now.active,
                })
            }
            StartOutcome::Refused(_) | StartOutcome::Taken | StartOutcome::UnknownPlan(_) => {
                self.over(draft)
            }
        }
    }

    fn confirms(first: &HeartbeatOutcome, second: &HeartbeatOutcome) -> bool {
        Heartbeat::confirms(first, second)
    }
}
