//! Any command, for users that exist only.

use crate::admission::{Command, Draft};

/// A command that is carried out only if the user is known ([`crate::Ledger::is_known`]): for
/// callers that create users before anything else. The outcome is `None`, and nothing changed, if
/// it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfKnown<C>(pub C);

impl<C: Command> Command for IfKnown<C> {
    type Outcome = Option<C::Outcome>;

    fn decide(&self, draft: &mut Draft<'_>) -> Self::Outcome {
        draft.ledger().is_known().then(|| self.0.decide(draft))
    }

    fn confirms(first: &Self::Outcome, second: &Self::Outcome) -> bool {
        match (first, second) {
            (Some(first), Some(second)) => C::confirms(first, second),
            _ => false,
        }
    }
}
