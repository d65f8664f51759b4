//! Letting a user begin again.

use crate::admission::{Command, Draft, Edit, Erased};
use crate::event::Event;
use crate::metadata::Attributes;
use crate::session::EndReason;

/// End all sessions of a user (`Revoked`) and forget its history. Plan and limit stay: they are the
/// operator's, and the right to reset a user must not include lifting its limit.
///
/// The names and times of the sessions it ended stay for the revive window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResetUser {
    /// What becomes of the profile.
    pub profile: Edit<Attributes>,
}

impl Command for ResetUser {
    type Outcome = Erased;

    fn decide(&self, draft: &mut Draft<'_>) -> Erased {
        let was_known = draft.ledger().is_known();
        let revoked = draft.end_all();
        let ledger = draft.ledger();
        let (limit, plan) = (ledger.limit, ledger.plan.clone());
        let old_profile = ledger.profile.clone();
        let profile = self
            .profile
            .apply(Some(old_profile.clone()))
            .unwrap_or_default();
        let has_history = ledger
            .ended
            .iter()
            .any(|ending| ending.reason != EndReason::Revoked);
        let forgets = has_history.then_some(Event::UserErased);
        // Erasing takes plan, limit and profile too; what stays is set again right behind it.
        let must_set = if has_history {
            limit.is_some() || plan.is_some() || !profile.is_empty()
        } else {
            profile != old_profile
        };
        let sets = must_set.then_some(Event::UserSet {
            limit,
            plan,
            profile,
        });
        forgets
            .into_iter()
            .chain(sets)
            .for_each(|event| draft.record(event));
        Erased { revoked, was_known }
    }

    /// Nothing was left to end, forget or set: that is what a reset leaves behind.
    fn confirms(_first: &Erased, _second: &Erased) -> bool {
        true
    }
}
