//! Any command, and who is watching after it, seen in one step.

use crate::admission::list::{SessionsView, sessions_of};
use crate::admission::{Command, Draft};

/// A command whose caller is also told who is watching after it. Asking in a second step could show
/// what others did in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithSessions<C>(pub C);

impl<C: Command> Command for WithSessions<C> {
    type Outcome = (C::Outcome, SessionsView);

    fn decide(&self, draft: &mut Draft<'_>) -> Self::Outcome {
        let outcome = self.0.decide(draft);
        let sessions = sessions_of(draft.ledger(), draft.policy(), draft.now());
        (outcome, sessions)
    }

    fn was_done((first, _): &Self::Outcome, (second, _): &Self::Outcome) -> bool {
        C::was_done(first, second)
    }
}
