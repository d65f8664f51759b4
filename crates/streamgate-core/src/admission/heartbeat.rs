//! Heartbeat: a player is still there.

use crate::admission::start::{renew, renewed};
use crate::admission::{Command, Draft};
use crate::event::Event;
use crate::ids::SessionId;
use crate::session::{Ending, Held, Session};

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
    Renewed(Alive),
    /// The lease had run out, a slot was free, and the session holds it again.
    Revived(Alive),
    /// The session has ended, and this heartbeat could not change that.
    Ended(Ending),
    /// The user never had this session, or its ending is no longer remembered.
    Unknown,
}

/// A session that holds a slot, as a heartbeat leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alive {
    /// How it is held now.
    pub session: Held,
    /// The user's limit.
    pub limit: u32,
    /// The number of slots taken, this one among them.
    pub active: u32,
}

impl HeartbeatOutcome {
    /// The session, if it holds a slot.
    #[must_use]
    pub const fn alive(&self) -> Option<&Alive> {
        match self {
            Self::Renewed(alive) | Self::Revived(alive) => Some(alive),
            Self::Ended(_) | Self::Unknown => None,
        }
    }
}

impl Command for Heartbeat {
    type Outcome = HeartbeatOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> HeartbeatOutcome {
        beat(draft, &self.id)
    }

    /// What the first run changed is there: the session that it brought back is live, and the same;
    /// the one that it ended has ended so, or so long ago that it is forgotten.
    fn confirms(first: &HeartbeatOutcome, second: &HeartbeatOutcome) -> bool {
        match (first, second) {
            (HeartbeatOutcome::Revived(first), HeartbeatOutcome::Renewed(second)) => {
                first.session.started_at == second.session.started_at
            }
            (HeartbeatOutcome::Ended(first), HeartbeatOutcome::Ended(second)) => first == second,
            (HeartbeatOutcome::Ended(_), HeartbeatOutcome::Unknown) => true,
            _ => false,
        }
    }
}

/// Decides one heartbeat.
pub(crate) fn beat(draft: &mut Draft<'_>, id: &SessionId) -> HeartbeatOutcome {
    let limit = draft.limit().limit;
    if let Some(place) = draft.ledger().place_of(id) {
        if draft.end_above_limit(place) {
            let ending = draft.ledger().ending_of(id);
            let ending = ending.expect("an ending is remembered until the next decision");
            return HeartbeatOutcome::Ended(ending.clone());
        }
        return HeartbeatOutcome::Renewed(Alive {
            session: renew(draft, place),
            limit,
            active: draft.active(),
        });
    }
    let Some(ending) = draft.ledger().ending_of(id).cloned() else {
        return HeartbeatOutcome::Unknown;
    };
    match &ending.session {
        Some(expired) if draft.has_slot_for(expired.metadata.as_deref()) => {
            revive(draft, expired, limit)
        }
        _ => HeartbeatOutcome::Ended(ending),
    }
}

/// Starts an expired session again; a slot is free.
fn revive(draft: &mut Draft<'_>, expired: &Session, limit: u32) -> HeartbeatOutcome {
    let held = renewed(expired.held(), draft.policy(), draft.now());
    draft.record(Event::Revived(Session {
        last_seen_at: held.last_seen_at,
        expires_at: held.expires_at,
        ..expired.clone()
    }));
    let active = draft.active();
    assert!(
        active <= limit,
        "no revival leaves more live sessions than the limit"
    );
    HeartbeatOutcome::Revived(Alive {
        session: held,
        limit,
        active,
    })
}
