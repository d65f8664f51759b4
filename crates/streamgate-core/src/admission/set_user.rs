//! Setting what a user is: plan, limit, profile.

use crate::admission::list::{UserView, user_of};
use crate::admission::{Command, Draft};
use crate::bounds::LIMIT_MAX;
use crate::event::Event;
use crate::ids::Name;
use crate::ledger::Ledger;
use crate::metadata::Attributes;

/// What to do with one property of a user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Edit<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Take it away.
    Clear,
    /// Set it.
    Set(T),
}

/// Change plan, limit or profile of a user; a user never seen is made.
///
/// A limit of 0 ends all sessions (`Revoked`). With any other lower limit live sessions stay as
/// they are for now: it holds from the next start, and [`crate::OverLimit`] says what becomes of
/// those above it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetUser {
    /// The name of a plan that the policy knows.
    pub plan: Edit<Name>,
    /// The user's own limit, 0 (blocked) to 1,000.
    pub limit: Edit<u32>,
    /// The user's profile, replaced as a whole.
    pub profile: Edit<Attributes>,
}

/// The answer to a change of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetUserOutcome {
    /// The user as it is now.
    Set(UserView),
    /// The policy has no plan of this name. Nothing was changed.
    UnknownPlan(Name),
}

impl<T> Edit<T> {
    pub(crate) fn apply(&self, old: Option<T>) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::Set(new) => Some(new.clone()),
        }
    }

    /// Whether the property is another after it.
    fn changes(&self, old: Option<&T>) -> bool
    where
        T: PartialEq,
    {
        match self {
            Self::Keep => false,
            Self::Clear => old.is_some(),
            Self::Set(new) => old != Some(new),
        }
    }
}

impl SetUser {
    /// Changes the user in a decision that may do more; the error is a plan that the policy does
    /// not have, and then nothing was changed.
    pub(crate) fn apply(&self, draft: &mut Draft<'_>) -> Result<(), Name> {
        if let Edit::Set(plan) = &self.plan
            && !draft.policy().plans.contains_key(plan)
        {
            return Err(plan.clone());
        }
        let old = draft.ledger();
        if self.changes(old) {
            let limit = self.limit.apply(old.limit);
            debug_assert!(
                limit.is_none_or(|limit| limit <= LIMIT_MAX),
                "the boundary bounds limits"
            );
            let plan = self.plan.apply(old.plan.clone());
            let profile = self
                .profile
                .apply(Some(old.profile.clone()))
                .unwrap_or_default();
            draft.record(Event::UserSet {
                limit,
                plan,
                profile,
            });
        }
        if draft.limit().limit == 0 {
            draft.end_all();
        }
        Ok(())
    }

    /// Whether the user is another after it.
    fn changes(&self, old: &Ledger) -> bool {
        let profile = Some(&old.profile).filter(|profile| !profile.is_empty());
        self.limit.changes(old.limit.as_ref())
            || self.plan.changes(old.plan.as_ref())
            || self.profile.changes(profile)
    }
}

impl Command for SetUser {
    type Outcome = SetUserOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> SetUserOutcome {
        match self.apply(draft) {
            Ok(()) => SetUserOutcome::Set(user_of(draft.ledger(), draft.policy(), draft.now())),
            Err(plan) => SetUserOutcome::UnknownPlan(plan),
        }
    }

    fn confirms(_first: &SetUserOutcome, second: &SetUserOutcome) -> bool {
        matches!(second, SetUserOutcome::Set(_))
    }
}
