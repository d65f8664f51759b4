//! One random history, run through an engine over any store and through the bare decision.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use streamgate_core::admission::{
    Edit, EraseUser, Heartbeat, SetUser, Start, Stop, sessions_of, user_of,
};
use streamgate_core::{EndReason, Ledger, Policy, SessionId, decide};
use streamgate_engine::Engine;
use streamgate_store::{Clock, ManualClock, Store};

use crate::support::{id, user, world_over};

/// Something that happens to a user.
#[derive(Debug, Clone)]
pub(crate) enum Op {
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

/// Histories of three users.
pub(crate) fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
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
pub(crate) struct Bare {
    pub(crate) ledgers: HashMap<usize, Ledger>,
    pub(crate) policy: Policy,
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

/// Runs a history on a store that is open, and answers what the bare decision keeps.
pub(crate) fn walk(
    ops: &[(usize, Op)],
    policy: Policy,
    store: Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    runtime: &tokio::runtime::Runtime,
) -> Result<Bare, TestCaseError> {
    let world = world_over(store, Arc::clone(clock), policy.clone());
    let ledgers = HashMap::new();
    let mut bare = Bare { ledgers, policy };
    runtime.block_on(async {
        for (who, op) in ops {
            both(&world.engine, &mut bare, clock, *who, op).await?;
        }
        Ok(bare)
    })
}
