//! Long random histories through an engine, a store and faults, against the bare decision.
//!
//! The core's own tests hold the decision against a reference model; here the same commands run
//! through everything around it. With answers and requests being lost, every answer must still be
//! one that the bare decision gave, and whoever counts what was committed counts what is live.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;
mod walk;

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use streamgate_core::{AtLimit, Policy, Seconds};
use streamgate_store::faults::{Fault, FaultyStore};
use streamgate_store::{ManualClock, MemoryStore};
use support::START_OF_TIME;
use walk::{Op, ops, walk};

fn check(
    ops: &[(usize, Op)],
    (at_limit, revive_window): (AtLimit, Seconds),
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
        revive_window,
        ..Policy::default()
    };
    let store = Arc::new(FaultyStore::new(MemoryStore::new(clock.clone()), plan));
    walk(ops, policy, store, &clock, &runtime)?;
    Ok(())
}

/// Both rules at the limit, with and without a memory of what has ended.
fn rules() -> impl Strategy<Value = (AtLimit, Seconds)> {
    let at_limit = select(vec![AtLimit::DenyNew, AtLimit::EvictOldest]);
    (at_limit, select(vec![Seconds(600), Seconds(0)]))
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
    fn an_engine_answers_as_the_decision_does(ops in ops(), rules in rules()) {
        check(&ops, rules, || Fault::None)?;
    }

    #[test]
    fn lost_requests_and_answers_change_no_answer(
        ops in ops(),
        rules in rules(),
        pattern in proptest::collection::vec(any::<(bool, bool)>(), 1..20),
    ) {
        let ops: Vec<_> = ops.into_iter().filter(|(_, op)| !matches!(op, Op::Sweep)).collect();
        check(&ops, rules, losses(pattern))?;
    }
}
