//! A step of the engine without the engine: decode, decide, encode.

use std::hint::black_box;

use streamgate_core::admission::{
    Heartbeat, HeartbeatOutcome, Start, StartOutcome, Stop, StopOutcome,
};
use streamgate_core::codec::{CodecError, decode_ledger};
use streamgate_core::{Command, EndReason, Policy, SessionId, decide};
use streamgate_store::Change;

use crate::Result;
use crate::audience::{NOW, SESSIONS, record, session};
use crate::callgrind::laps;

/// Whose record it is.
const USER: u64 = 7;

/// A start that is admitted.
pub(super) fn start(repetitions: u64) -> Result<()> {
    let start = Start::new(id(SESSIONS)?);
    let is_admitted = |outcome: &_| matches!(outcome, StartOutcome::Admitted(_));
    run(SESSIONS, &start, is_admitted, repetitions)
}

/// A start that finds every slot taken.
pub(super) fn start_refused(repetitions: u64) -> Result<()> {
    let limit = Policy::default().default_limit.into();
    let start = Start::new(id(limit)?);
    let is_refused = |outcome: &_| matches!(outcome, StartOutcome::Refused(_));
    run(limit, &start, is_refused, repetitions)
}

/// A heartbeat of a live session.
pub(super) fn heartbeat(repetitions: u64) -> Result<()> {
    let heartbeat = Heartbeat { id: id(0)? };
    let is_renewed = |outcome: &_| matches!(outcome, HeartbeatOutcome::Renewed { .. });
    run(SESSIONS, &heartbeat, is_renewed, repetitions)
}

/// The stop of a live session.
pub(super) fn stop(repetitions: u64) -> Result<()> {
    let (id, reason) = (id(0)?, EndReason::Stopped);
    let is_stopped = |outcome: &_| matches!(outcome, StopOutcome::Stopped);
    run(SESSIONS, &Stop { id, reason }, is_stopped, repetitions)
}

fn id(number: u64) -> Result<SessionId> {
    session(USER, number)
}

/// Runs one command on one record, again and again.
fn run<C: Command>(
    live: u64,
    command: &C,
    is_expected: impl Fn(&C::Outcome) -> bool,
    repetitions: u64,
) -> Result<()> {
    let (record, policy) = (record(USER, live)?, Policy::default());
    for command in laps(&[command], repetitions) {
        let (outcome, change) = black_box(step(black_box(&record), &policy, black_box(*command))?);
        if !is_expected(&outcome) {
            return Err("the decision was another one".into());
        }
        drop(black_box(change));
    }
    Ok(())
}

/// What the engine makes of a record.
#[inline(never)]
pub(super) fn step<C: Command>(
    record: &[u8],
    policy: &Policy,
    command: &C,
) -> std::result::Result<(C::Outcome, Option<Change>), CodecError> {
    let decision = decide(decode_ledger(record)?, policy, command, NOW);
    let change = Change::of(&decision, policy);
    Ok((decision.outcome, change))
}
