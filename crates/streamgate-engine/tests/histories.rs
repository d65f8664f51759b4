//! Long random histories through an engine, a store and faults, against the bare decision.
//!
//! The core's own tests hold the decision against a reference model; here the same commands run
//! through everything around it. With answers and requests being lost, every answer must still be
//! one that the bare decision gave.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use streamgate_core::admission::{
    Edit, EraseUser, Heartbeat, SetUser, Start, Stop, sessions_of, user_of,
};
use streamgate_core::{AtLimit, EndReason, Ledger, Policy, SessionId, decide};
use streamgate_engine::Engine;
use streamgate_store::faults::{Fault, FaultyStore};
use streamgate_store::{Clock, ManualClock, MemoryStore};
use support::{START_OF_TIME, id, user, world_over};

#[derive(Debug, Clone)]
enum Op {
    Start(Start),
    Heartbeat(SessionId),
    Stop(SessionId),
    SetLimit(Edit<u32>),
    Erase,
    Sweep,
    Pass(Duration),
}

fn session() -> impl Strategy<Value = SessionId> {
    select(
        &[
            "a",
            "b",
            "c",
            "d",
            "e",
            "0190b0f0-1111-7000-8000-000000000001",
        ][..],
    )
    .prop_map(id)
}

fn starts() -> impl Strategy<Value = Start> {
    let others = (
        proptest::option::of(session()),
        proptest::collection::vec(session(), 0..3),
    );
    (session(), others).prop_map(|(new, (replaces, terminate))| Start {
        replaces: replaces.filter(|other| *other != new),
        terminate: terminate
            .into_iter()
            .filter(|other| *other != new)
            .collect(),
        ..Start::new(new)
    })
}

fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
    let limit = prop_oneof![Just(Edit::Clear), (0..5_u32).prop_map(Edit::Set)];
    let op = prop_oneof![
        6 => starts().prop_map(Op::Start),
        4 => session().prop_map(Op::Heartbeat),
        3 => session().prop_map(Op::Stop),
        1 => limit.prop_map(Op::SetLimit),
        1 => Just(Op::Erase),
        1 => Just(Op::Sweep),
        4 => select(vec![1, 1_000, 45_000, 89_999, 90_000, 600_000])
            .prop_map(|ms| Op::Pass(Duration::from_millis(ms))),
    ];
    proptest::collection::vec((0..3_usize, op), 1..80)
}

/// What the bare decision keeps of each user.
struct Bare {
    ledgers: HashMap<usize, Ledger>,
    policy: Policy,
}

impl Bare {
    fn run<C: streamgate_core::Command>(
        &mut self,
        user: usize,
        command: &C,
        clock: &ManualClock,
    ) -> C::Outcome {
        let ledger = self.ledgers.remove(&user).unwrap_or_default();
        let decision = decide(ledger, &self.policy, command, clock.now());
        self.ledgers.insert(user, decision.ledger);
        decision.outcome
    }
}

/// Runs one operation on both sides and compares what comes out.
async fn both(
    engine: &Engine,
    bare: &mut Bare,
    clock: &ManualClock,
    who: usize,
    op: &Op,
) -> Result<(), TestCaseError> {
    let key = user(&format!("u{who}"));
    match op {
        Op::Start(start) => {
            let expected = bare.run(who, start, clock);
            prop_assert_eq!(engine.start(&key, start).await, Ok(expected));
        }
        Op::Heartbeat(id) => {
            let command = Heartbeat { id: id.clone() };
            let expected = bare.run(who, &command, clock);
            prop_assert_eq!(engine.heartbeat(&key, &command).await, Ok(expected));
        }
        Op::Stop(id) => {
            let command = Stop {
                id: id.clone(),
                reason: EndReason::Stopped,
            };
            let expected = bare.run(who, &command, clock);
            prop_assert_eq!(engine.stop(&key, &command).await, Ok(expected));
        }
        Op::SetLimit(limit) => {
            let command = SetUser {
                limit: limit.clone(),
                ..SetUser::default()
            };
            let expected = bare.run(who, &command, clock);
            prop_assert_eq!(engine.set_user(&key, &command).await, Ok(expected));
        }
        Op::Erase => {
            let expected = bare.run(who, &EraseUser, clock);
            prop_assert_eq!(engine.erase_user(&key).await, Ok(expected));
        }
        // It may change what is stored, never what is answered: the other side does nothing.
        Op::Sweep => engine.sweep_all().await.expect("a sweep"),
        Op::Pass(time) => clock.advance(*time),
    }
    let ledger = bare.ledgers.get(&who).cloned().unwrap_or_default();
    let (policy, now) = (&bare.policy, clock.now());
    prop_assert_eq!(
        engine.sessions(&key).await,
        Ok(sessions_of(&ledger, policy, now))
    );
    let settled = decide(ledger, policy, &streamgate_core::admission::Settle, now).ledger;
    let known = settled.is_known().then(|| user_of(&settled, policy, now));
    prop_assert_eq!(engine.user(&key).await, Ok(known));
    Ok(())
}

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
    let world = world_over(store, clock.clone(), policy.clone());
    let mut bare = Bare {
        ledgers: HashMap::new(),
        policy,
    };
    runtime.block_on(async {
        for (who, op) in ops {
            both(&world.engine, &mut bare, &clock, *who, op).await?;
        }
        Ok(())
    })
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
