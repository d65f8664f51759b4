//! Any command, and who is watching after it, seen in one step.

use crate::admission::list::{Watching, watching_of};
use crate::admission::{Command, Draft};

/// A command whose caller is also told who is watching after it: all live sessions, in the order in
/// which they started. Asking in a second step could show what others did in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithSessions<C>(pub C);

impl<C: Command> Command for WithSessions<C> {
    type Outcome = (C::Outcome, Vec<Watching>);

    fn decide(&self, draft: &mut Draft<'_>) -> Self::Outcome {
        let outcome = self.0.decide(draft);
        let watching = watching_of(draft.ledger(), draft.policy(), draft.moment());
        (outcome, watching)
    }

    fn confirms((first, _): &Self::Outcome, (second, _): &Self::Outcome) -> bool {
        C::confirms(first, second)
    }
}
