//! Erasing a user.

use crate::admission::{Command, Draft};
use crate::event::Event;
use crate::ids::SessionId;
use crate::session::EndReason;

/// End all sessions of a user (`Revoked`) and erase plan, limit, profile and history.
///
/// The names and times of the sessions it ended stay for the revive window, so that their players
/// learn what happened; then nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EraseUser;

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// The number of sessions ended.
    pub revoked: u32,
    /// Whether there was anything to erase.
    pub was_known: bool,
}

impl Command for EraseUser {
    type Outcome = Erased;

    fn decide(&self, draft: &mut Draft<'_>) -> Erased {
        let (was_known, revoked) = (draft.ledger().is_known(), draft.active());
        let ids: Vec<SessionId> = draft.ledger().live.iter().map(|s| s.id.clone()).collect();
        for id in &ids {
            draft.end(id, EndReason::Revoked, None);
        }
        if was_known {
            draft.record(Event::UserErased);
        }
        Erased { revoked, was_known }
    }
}
