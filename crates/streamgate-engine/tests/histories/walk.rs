//! One random history, run through an engine over any store and through the bare decision.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use streamgate_clock::{Clock, ManualClock};
use streamgate_core::admission::{
    Edit, EraseUser, Heartbeat, Heartbeats, IfKnown, ImportUser, ResetUser, SessionsQuery, SetUser,
    Settle, Start, Stop, StopNewest, StopNewestOutcome, WithSessions, sessions_of,
    user_and_sessions_of, user_of, watching_of,
};
use streamgate_core::{Attributes, EndReason, Ledger, Policy, Seconds, SessionId, decide};
use streamgate_engine::{Engine, NewestStopped};
use streamgate_store::Store;

use crate::support::{World, id, user, world_over};

/// Something that happens to a user.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Start(Start),
    Heartbeat(SessionId),
    Heartbeats(Vec<SessionId>),
    Stop(SessionId),
    SetLimit(Edit<u32>),
    Erase,
    StartAndList(Start),
    StartIfKnown(Start),
    StopNewest,
    Reset(ResetUser),
    Import(ImportUser),
    Sweep,
    Pass(Duration),
}

const SESSIONS: [&str; 6] = [
    "a",
    "b",
    "c",
    "d",
    "e",
    "0190b0f0-1111-7000-8000-000000000001",
];

fn session() -> impl Strategy<Value = SessionId> {
    select(&SESSIONS[..]).prop_map(id)
}

fn profile() -> impl Strategy<Value = Attributes> {
    select(&["Ana", "Bea"][..]).prop_map(|name| {
        Attributes::new([("name".into(), name.into())].into()).expect("one short entry")
    })
}

fn imports() -> impl Strategy<Value = ImportUser> {
    let sessions = subsequence(&SESSIONS[..], 0..=4).prop_shuffle();
    let profile = prop_oneof![Just(Attributes::default()), profile()];
    (sessions, 5_u32..200, profile).prop_map(|(sessions, lease_s, profile)| ImportUser {
        sessions: sessions.into_iter().map(id).collect(),
        lease: Seconds(lease_s),
        profile,
    })
}

fn resets() -> impl Strategy<Value = ResetUser> {
    let profile = prop_oneof![
        Just(Edit::Keep),
        Just(Edit::Clear),
        profile().prop_map(Edit::Set)
    ];
    profile.prop_map(|profile| ResetUser { profile })
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

const USERS: usize = 3;

/// Histories of three users.
pub(crate) fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
    let limit = prop_oneof![Just(Edit::Clear), (0..5_u32).prop_map(Edit::Set)];
    let op = prop_oneof![
        5 => starts().prop_map(Op::Start),
        1 => starts().prop_map(Op::StartAndList),
        1 => starts().prop_map(Op::StartIfKnown),
        4 => session().prop_map(Op::Heartbeat),
        2 => proptest::collection::vec(session(), 0..5).prop_map(Op::Heartbeats),
        3 => session().prop_map(Op::Stop),
        1 => limit.prop_map(Op::SetLimit),
        1 => Just(Op::Erase),
        2 => Just(Op::StopNewest),
        1 => resets().prop_map(Op::Reset),
        1 => imports().prop_map(Op::Import),
        1 => Just(Op::Sweep),
        4 => select(vec![1, 1_000, 45_000, 89_999, 90_000, 600_000])
            .prop_map(|ms| Op::Pass(Duration::from_millis(ms))),
    ];
    proptest::collection::vec((0..USERS, op), 1..80)
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

impl Bare {
    /// Reads which session is the newest, then stops that one.
    fn stop_newest(&mut self, user: usize, clock: &ManualClock) -> NewestStopped {
        let mut stop = StopNewest::default();
        loop {
            match self.run(user, &stop, clock) {
                StopNewestOutcome::NewestIs { newest, .. } => stop.expected = Some(newest),
                StopNewestOutcome::Stopped { active } => return NewestStopped::Stopped { active },
                StopNewestOutcome::NoneLive { is_known, .. } => {
                    return NewestStopped::NoneLive { is_known };
                }
            }
        }
    }

    /// The ledger of a user, brought up to the present.
    fn settled(&self, user: usize, clock: &ManualClock) -> Ledger {
        let ledger = self.ledgers.get(&user).cloned().unwrap_or_default();
        decide(ledger, &self.policy, &Settle, clock.now()).ledger
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
            prop_assert_eq!(engine.start(&key, start).await, Ok(expected.into()));
        }
        Op::Heartbeat(id) => {
            let command = Heartbeat { id: id.clone() };
            let expected = bare.run(who, &command, clock);
            prop_assert_eq!(engine.heartbeat(&key, &command).await, Ok(expected.into()));
        }
        Op::Heartbeats(ids) => {
            let expected = bare.run(who, &Heartbeats { ids: ids.clone() }, clock);
            let batch: Vec<_> = ids
                .iter()
                .map(|id| (key.clone(), Heartbeat { id: id.clone() }))
                .collect();
            let told = engine.heartbeats(&batch, |told| told).await;
            let expected: Vec<_> = expected.into_iter().map(|told| Ok(told.into())).collect();
            prop_assert_eq!(told, expected);
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
            prop_assert_eq!(engine.run(&key, &command).await, Ok(expected));
        }
        Op::Erase => {
            let expected = bare.run(who, &EraseUser, clock);
            prop_assert_eq!(engine.erase_user(&key).await, Ok(expected));
        }
        Op::StartAndList(start) => {
            let expected = bare.run(who, &WithSessions(start.clone()), clock);
            let answer = engine.start(&key, &WithSessions(start.clone())).await;
            prop_assert_eq!(answer, Ok(expected.into()));
        }
        Op::StartIfKnown(start) => {
            let expected = bare.run(who, &IfKnown(start.clone()), clock);
            let answer = engine.start(&key, &IfKnown(start.clone())).await;
            prop_assert_eq!(answer, Ok(expected.into()));
        }
        Op::StopNewest => {
            let expected = bare.stop_newest(who, clock);
            prop_assert_eq!(engine.stop_newest(&key).await, Ok(expected));
        }
        Op::Reset(reset) => {
            let expected = bare.run(who, reset, clock);
            prop_assert_eq!(engine.reset_user(&key, reset).await, Ok(expected));
        }
        Op::Import(import) => {
            let expected = bare.run(who, import, clock);
            prop_assert_eq!(engine.run(&key, import).await, Ok(expected));
        }
        // A sweep may change what is stored, never an answer: the other side does nothing.
        Op::Sweep => engine.sweep_all().await.expect("a sweep"),
        Op::Pass(time) => clock.advance(*time),
    }
    looks_the_same(engine, bare, clock, who).await
}

/// Compares what can be seen of a user on both sides.
async fn looks_the_same(
    engine: &Engine,
    bare: &Bare,
    clock: &ManualClock,
    who: usize,
) -> Result<(), TestCaseError> {
    let key = user(&format!("u{who}"));
    let ledger = bare.ledgers.get(&who).cloned().unwrap_or_default();
    let (policy, now) = (&bare.policy, clock.now());
    prop_assert_eq!(
        engine.sessions(&key, &SessionsQuery::default()).await,
        Ok(sessions_of(&ledger, policy, now, &SessionsQuery::default()))
    );
    let settled = bare.settled(who, clock);
    let known = settled.is_known().then(|| user_of(&settled, policy, now));
    prop_assert_eq!(engine.user(&key, user_of).await, Ok(known.clone()));
    let both = known.map(|user| (user, watching_of(&settled, policy, now)));
    prop_assert_eq!(engine.user(&key, user_and_sessions_of).await, Ok(both));
    Ok(())
}

/// The count of committed events must equal the live sessions.
async fn counted(world: &World, bare: &Bare, clock: &ManualClock) -> Result<(), TestCaseError> {
    // So that expiries are reported; a store with faults may refuse the first sweeps.
    while world.engine.sweep_all().await.is_err() {}
    let live: usize = (0..USERS)
        .map(|who| bare.settled(who, clock).live.len())
        .sum();
    prop_assert_eq!(world.memo.gauge(), live, "{:?}", world.memo.words());
    Ok(())
}

/// Runs a history on an open store, and returns what the bare decision keeps.
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
        counted(&world, &bare, clock).await?;
        Ok(bare)
    })
}
