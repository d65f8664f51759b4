//! Erasing a user.

use crate::admission::{Command, Draft};
use crate::event::Event;

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
        let was_known = draft.ledger().is_known();
        let revoked = draft.end_all();
        if was_known {
            draft.record(Event::UserErased);
        }
        Erased { revoked, was_known }
    }

    fn confirms(_first: &Erased, second: &Erased) -> bool {
        !second.was_known
    }
}
