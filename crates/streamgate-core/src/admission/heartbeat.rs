//! Heartbeat: a player is still there.

use crate::admission::start::{renew, renewed};
use crate::admission::{Command, Draft};
use crate::event::Event;
use crate::ids::SessionId;
use crate::session::{Ending, Session};

/// A player calls, to keep the slot of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The session.
    pub id: SessionId,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatOutcome {
    /// The lease was renewed.
    Renewed {
        /// The session as it is now.
        session: Session,
        /// The user's limit.
        limit: u32,
        /// The number of slots taken.
        active: u32,
    },
    /// The lease had run out, a slot was free, and the session holds it again.
    Revived {
        /// The session as it is now.
        session: Session,
        /// The user's limit.
        limit: u32,
        /// The number of slots taken, this one among them.
        active: u32,
    },
    /// The session has ended, and this heartbeat could not change that.
    Ended(Ending),
    /// The user never had this session, or its ending is no longer remembered.
    Unknown,
}

impl Command for Heartbeat {
    type Outcome = HeartbeatOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> HeartbeatOutcome {
        let now = draft.now();
        let limit = draft.limit().limit;
        if let Some(session) = draft.ledger().find(&self.id).cloned() {
            return HeartbeatOutcome::Renewed {
                session: renew(draft, session),
                limit,
                active: draft.active(),
            };
        }
        let Some(ending) = draft.ledger().ending_of(&self.id).cloned() else {
            return HeartbeatOutcome::Unknown;
        };
        match &ending.revivable {
            Some(expired) if draft.active() < limit => {
                let session = renewed(expired.as_ref().clone(), draft.policy(), now);
                draft.record(Event::Revived(session.clone()));
                let active = draft.active();
                assert!(
                    active <= limit,
                    "no revival leaves more live sessions than the limit"
                );
                HeartbeatOutcome::Revived {
                    session,
                    limit,
                    active,
                }
            }
            _ => HeartbeatOutcome::Ended(ending),
        }
    }

    /// The session is live, and the same that the first run brought back.
    fn was_done(first: &HeartbeatOutcome, second: &HeartbeatOutcome) -> bool {
        match (first, second) {
            (
                HeartbeatOutcome::Revived { session: first, .. },
                HeartbeatOutcome::Renewed {
                    session: second, ..
                },
            ) => first.started_at == second.started_at,
            _ => false,
        }
    }
}
