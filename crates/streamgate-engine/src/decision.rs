//! Deciding on a record: the one place where the shell calls the core.

use streamgate_core::admission::Command;
use streamgate_core::codec::{CodecError, decode_ledger};
use streamgate_core::{Decision, Ledger, Policy, decide};
use streamgate_store::View;

/// Decides a command on a record.
pub(crate) fn decide_on<C: Command>(
    view: View<'_>,
    policy: &Policy,
    command: &C,
) -> Result<Decision<C::Outcome>, CodecError> {
    Ok(decide(ledger_of(view)?, policy, command, view.now))
}

/// The ledger in a record; an empty one if there is no record.
pub(crate) fn ledger_of(view: View<'_>) -> Result<Ledger, CodecError> {
    view.record
        .map_or_else(|| Ok(Ledger::default()), decode_ledger)
}
