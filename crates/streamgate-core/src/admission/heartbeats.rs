//! Heartbeats of several sessions of one user, decided at once.

use crate::admission::heartbeat::{HeartbeatOutcome, beat};
use crate::admission::{Command, Draft, Heartbeat};
use crate::bounds::BATCH_ENTRIES_MAX;
use crate::ids::SessionId;

/// The players of several sessions of one user call. The outcomes are those that single heartbeats
/// have which come one after the other at the same time; the ledger is read and written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeats {
    /// The sessions, at most [`BATCH_ENTRIES_MAX`]. One may be named twice.
    pub ids: Vec<SessionId>,
}

impl Command for Heartbeats {
    /// One for each heartbeat, in their order.
    type Outcome = Vec<HeartbeatOutcome>;

    fn decide(&self, draft: &mut Draft<'_>) -> Vec<HeartbeatOutcome> {
        assert!(
            self.ids.len() <= BATCH_ENTRIES_MAX,
            "the boundary bounds batches"
        );
        self.ids.iter().map(|id| beat(draft, id)).collect()
    }

    /// What each heartbeat changed is there. One that renewed a lease or found nothing changed
    /// nothing that callers rely on, so it tells nothing about the run.
    fn confirms(first: &Self::Outcome, second: &Self::Outcome) -> bool {
        let heartbeats = first.iter().zip(second);
        heartbeats.into_iter().all(|(first, second)| match first {
            HeartbeatOutcome::Renewed { .. } | HeartbeatOutcome::Unknown => true,
            HeartbeatOutcome::Revived { .. } | HeartbeatOutcome::Ended(_) => {
                Heartbeat::confirms(first, second)
            }
        })
    }
}
