//! Several commands about one user, decided at once.

use crate::admission::{Command, Draft};

/// Commands decided in their order, in one step at one time: each sees what the ones before it
/// changed. The ledger is read and written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InTurn<C>(pub Vec<C>);

impl<C: Command> Command for InTurn<C> {
    /// One for each command, in their order.
    type Outcome = Vec<C::Outcome>;

    fn decide(&self, draft: &mut Draft<'_>) -> Self::Outcome {
        (self.0.iter())
            .map(|command| command.decide(draft))
            .collect()
    }

    fn confirms(first: &Self::Outcome, second: &Self::Outcome) -> bool {
        let mut both = first.iter().zip(second);
        both.all(|(first, second)| C::confirms(first, second))
    }
}
