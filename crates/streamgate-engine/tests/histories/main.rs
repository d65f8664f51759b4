//! Long random histories through an engine, a store and faults, against the bare decision.
//!
//! The core's own tests hold the decision against a reference model; here the same commands run
//! through everything around it. With answers and requests being lost, every answer must still be
//! one that the bare decision gave.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;
mod walk;

use std::sync::Arc;

use proptest::prelude::*;
use streamgate_core::{AtLimit, Policy};
use streamgate_store::faults::{Fault, FaultyStore};
use streamgate_store::{ManualClock, MemoryStore};
use support::START_OF_TIME;
use walk::{Op, ops, walk};

fn check(
    ops: &[(usize, Op)],
    at_limit: AtLimit,
    plan: impl FnMut() -> Fault + Send + 'static,
) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let policy = Policy {
        at_limit,
        default_limit: 2,
        ..Policy::default()
    };
    let store = Arc::new(FaultyStore::new(MemoryStore::new(clock.clone()), plan));
    walk(ops, policy, store, &clock, &runtime)?;
    Ok(())
}

/// Never more than two losses in a row, so that every outcome becomes known in the end. Scans and
/// sweeps see refusals in place of losses and are not what is tested: every third call is whole.
fn losses(pattern: Vec<(bool, bool)>) -> impl FnMut() -> Fault + Send + 'static {
    let mut calls = pattern
        .into_iter()
        .flat_map(|(request, answer)| {
            [
                if request {
                    Fault::LoseRequest
                } else {
                    Fault::None
                },
                if answer {
                    Fault::LoseAnswer
                } else {
                    Fault::None
                },
                Fault::None,
            ]
        })
        .collect::<Vec<_>>()
        .into_iter()
        .cycle();
    move || calls.next().unwrap_or(Fault::None)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_engine_answers_as_the_decision_does(ops in ops(), evict in any::<bool>()) {
        let at_limit = if evict { AtLimit::EvictOldest } else { AtLimit::DenyNew };
        check(&ops, at_limit, || Fault::None)?;
    }

    #[test]
    fn lost_requests_and_answers_change_no_answer(
        ops in ops(),
        evict in any::<bool>(),
        pattern in proptest::collection::vec(any::<(bool, bool)>(), 1..20),
    ) {
        let ops: Vec<_> = ops.into_iter().filter(|(_, op)| !matches!(op, Op::Sweep)).collect();
        let at_limit = if evict { AtLimit::EvictOldest } else { AtLimit::DenyNew };
        check(&ops, at_limit, losses(pattern))?;
    }
}
