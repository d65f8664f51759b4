//! Long random histories through an engine, a store and faults, against the bare decision.
//!
//! The core's own tests hold the decision against a reference model; here the same commands run
//! through everything around it. With answers and requests being lost, every answer must still be
//! the one that the bare decision gave, and the count of committed events must equal the live
//! sessions.

mod embedded;
mod walk;

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use streamgate_clock::ManualClock;
use streamgate_core::{AtLimit, OverLimit, Policy, Seconds};
use streamgate_store::MemoryStore;
use streamgate_store::faults::{Fault, FaultyStore};

use self::walk::{Op, ops, walk};
use crate::support::START_OF_TIME;

fn check(
    ops: &[(usize, Op)],
    policy: Policy,
    plan: impl FnMut() -> Fault + Send + 'static,
) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let store = Arc::new(FaultyStore::new(MemoryStore::new(clock.clone()), plan));
    walk(ops, policy, store, &clock, &runtime)?;
    Ok(())
}

/// Every rule at the limit and above it, with and without a memory of ended sessions.
fn rules() -> impl Strategy<Value = Policy> {
    let at_limit = select(vec![
        (AtLimit::DenyNew, 0),
        (AtLimit::EvictOldest, 0),
        (AtLimit::EvictOldest, 10),
    ]);
    let over_limit = select(vec![OverLimit::Keep, OverLimit::EndNewest]);
    let window_s = select(vec![600, 0]);
    (at_limit, over_limit, window_s).prop_map(|((at_limit, age_s), over_limit, window_s)| Policy {
        at_limit,
        over_limit,
        evict_min_age: Seconds(age_s),
        default_limit: 2,
        revive_window: Seconds(window_s),
        ..Policy::default()
    })
}

/// Never more than two losses in a row, so that every outcome becomes known in the end. Scans and
/// sweeps, which see refusals in place of losses, are not under test: every third call has no
/// fault.
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
