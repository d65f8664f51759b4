//! An engine that fails open: players are answered while the store cannot be used, and the limit
//! holds again when it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::calls::suspended::server::{Node, Server, Speculates};
use crate::support::{START_OF_TIME, World, heartbeat, id, start, stop, user, world_over};
use streamgate_clock::ManualClock;
use streamgate_core::admission::{
    Alive, HeartbeatOutcome, IfKnown, SessionsQuery, Start, StartOutcome, StopOutcome, WithSessions,
};
use streamgate_core::bounds::DEGRADED_SESSIONS_MAX;
use streamgate_core::codec::decode_ledger;
use streamgate_core::ids::Name;
use streamgate_core::{EndReason, Policy, Seconds, SessionMetadata, UserKey};
use streamgate_engine::EngineError;
use streamgate_store::decorator::{Intercept, Intercepted};
use streamgate_store::faults::{Fault, FaultyStore};
use streamgate_store::versioned::Optimistic;
use streamgate_store::{MemoryStore, Refusal, Step, Store, StoreError, Transaction};

/// An engine that fails open, over a store that can become unavailable.
struct Open {
    world: World,
    is_away: Arc<AtomicBool>,
}

impl Open {
    fn new(limit: u32) -> Self {
        let is_away = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_away);
        let plan = move || {
            if seen.load(Ordering::SeqCst) {
                Fault::Refuse
            } else {
                Fault::None
            }
        };
        let clock = Arc::new(ManualClock::at(START_OF_TIME));
        let store = FaultyStore::new(MemoryStore::new(clock.clone()), plan);
        let policy = Policy {
            default_limit: limit,
            ..Policy::default()
        };
        let World {
            engine,
            clock,
            memo,
        } = world_over(Arc::new(store), clock, policy);
        let engine = Arc::into_inner(engine).unwrap().fail_open(clock.clone());
        let world = World {
            engine: Arc::new(engine),
            clock,
            memo,
        };
        Self { world, is_away }
    }

    fn goes_away(&self) {
        self.is_away.store(true, Ordering::SeqCst);
    }

    fn is_back(&self) {
        self.is_away.store(false, Ordering::SeqCst);
    }

    /// The outcome of a start, and whether it is degraded.
    async fn start(&self, start: &Start) -> (StartOutcome, bool) {
        let told = self.world.engine.start(&user("u"), start).await.unwrap();
        (told.outcome, told.is_degraded)
    }

    async fn beat(&self, session: &str) -> (HeartbeatOutcome, bool) {
        let beat = heartbeat(session);
        let told = self.world.engine.heartbeat(&user("u"), &beat).await;
        let told = told.unwrap();
        (told.outcome, told.is_degraded)
    }

    /// Starts a session while the store is unavailable.
    async fn admits(&self, session: &str) {
        let (outcome, is_degraded) = self.start(&start(session)).await;
        assert!(matches!(outcome, StartOutcome::Admitted(_)) && is_degraded);
    }

    fn remembers(&self) -> usize {
        self.world.engine.degraded_sessions()
    }

    /// Lets the engine reconcile. The paused clock of the runtime advances by itself.
    async fn reconciles(&self) {
        let engine = Arc::clone(&self.world.engine);
        let reconciling = engine.reconcile_forever();
        let enough = tokio::time::sleep(Duration::from_secs(5));
        tokio::select! {
            () = reconciling => panic!("it goes on for ever"),
            () = enough => {}
        }
    }
}

#[tokio::test]
async fn starts_and_heartbeats_are_answered_degraded_while_the_store_is_unavailable() {
    let open = Open::new(1);
    open.goes_away();
    for session in ["a", "b", "c"] {
        open.admits(session).await;
    }
    let (again, is_degraded) = open.start(&start("a")).await;
    assert!(matches!(again, StartOutcome::AlreadyLive(_)) && is_degraded);
    let (outcome, is_degraded) = open.beat("a").await;
    assert!(matches!(outcome, HeartbeatOutcome::Renewed { .. }) && is_degraded);
    assert_eq!(open.remembers(), 3);
    assert!(open.world.memo.words().is_empty(), "nothing was committed");
    // Only calls about one player's slot are answered without the store.
    let error = open
        .world
        .engine
        .sessions(&user("u"), &SessionsQuery::default())
        .await
        .unwrap_err();
    assert!(matches!(error, EngineError::Unavailable(_)));
    let stopped = open.world.engine.stop(&user("u"), &stop("x")).await;
    assert!(matches!(stopped, Err(EngineError::Unavailable(_))));
}

/// A store that answers every call with this error.
struct Failing {
    store: MemoryStore,
    error: StoreError,
}

impl Intercept for Failing {
    fn inner(&self) -> &dyn Store {
        &self.store
    }

    fn transact<'a>(&'a self, _key: &'a UserKey, _step: Step<'a>) -> Transaction<'a> {
        Transaction::Done(Err(self.error.clone()))
    }
}

/// Whether a start is admitted without a store that answers with this error.
async fn is_admitted_despite(error: StoreError) -> bool {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let store = Intercepted(Failing {
        store: MemoryStore::new(clock.clone()),
        error,
    });
    let world = world_over(Arc::new(store), clock.clone(), Policy::default());
    let engine = Arc::into_inner(world.engine).unwrap().fail_open(clock);
    let told = engine.start(&user("u"), &start("a")).await;
    told.is_ok_and(|told| told.is_degraded)
}

/// Availability is what the operator chose: whatever keeps the store from being used, also a wrong
/// clock of the node, a server that may evict, or a full one. A record that cannot be read or held
/// concerns one user, and stays so when the store is back.
#[tokio::test]
async fn whatever_keeps_the_store_from_being_used_admits_and_a_fault_of_one_record_does_not() {
    let why = || "why".to_owned();
    let refusal = Refusal {
        told: "the clock of this node is wrong",
        why: why(),
    };
    for error in [
        StoreError::Unavailable(why()),
        StoreError::Refused(refusal),
        StoreError::Full(why()),
        StoreError::OutcomeUnknown(why()),
    ] {
        assert!(is_admitted_despite(error.clone()).await, "{error}");
    }
    for error in [
        StoreError::Damaged(why()),
        StoreError::TooLarge(why()),
        StoreError::NeedsFormat(2),
    ] {
        assert!(!is_admitted_despite(error.clone()).await, "{error}");
    }
}

/// A node that has never reached its store does not know which format it has.
#[tokio::test]
async fn a_session_admitted_with_a_field_that_the_store_does_not_hold_keeps_its_slot() {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let server = Arc::new(Server::new(Arc::clone(&clock)));
    server.hide_mark(true);
    let store = Optimistic::new(Node::new(Arc::clone(&server), Speculates::Never));
    let world = world_over(Arc::new(store), Arc::clone(&clock), Policy::default());
    let engine = Arc::into_inner(world.engine).unwrap().fail_open(clock);
    let name = |text| Name::new(text).map(Some).unwrap();
    let metadata = SessionMetadata {
        device_id: name("tv"),
        region: name("eu-west"),
        ..SessionMetadata::default()
    };
    let start = Start {
        metadata: Some(metadata.clone().into()),
        ..start("a")
    };
    let told = engine.start(&user("u"), &start).await.unwrap();
    assert!(told.is_degraded);
    server.hide_mark(false);
    let told = engine.heartbeat(&user("u"), &heartbeat("a")).await.unwrap();
    assert!(matches!(told.outcome, HeartbeatOutcome::Revived { .. }));
    let ledger = decode_ledger(&server.record(&user("u")).unwrap()).unwrap();
    let held = SessionMetadata {
        region: None,
        ..metadata
    };
    assert_eq!(ledger.live[0].metadata.as_deref(), Some(&held));
    assert_eq!(world.memo.reconciled(), [true]);
}

#[tokio::test]
async fn an_engine_that_fails_closed_admits_no_session() {
    let world = crate::support::world(|| Fault::Refuse);
    let told = world.engine.start(&user("u"), &start("a")).await;
    assert!(matches!(told, Err(EngineError::Unavailable(_))));
    let told = world.engine.heartbeat(&user("u"), &heartbeat("a")).await;
    assert!(matches!(told, Err(EngineError::Unavailable(_))));
    assert!(!world.engine.fails_open());
}

#[tokio::test]
async fn a_session_that_is_in_the_store_goes_on_after_degraded_heartbeats() {
    let open = Open::new(1);
    assert!(!open.start(&start("a")).await.1);
    open.goes_away();
    let (outcome, is_degraded) = open.beat("a").await;
    assert!(matches!(outcome, HeartbeatOutcome::Renewed { .. }) && is_degraded);
    assert_eq!(open.remembers(), 0, "the store knows it");
    open.is_back();
    let (outcome, is_degraded) = open.beat("a").await;
    assert!(matches!(outcome, HeartbeatOutcome::Renewed { .. }) && !is_degraded);
}

#[tokio::test]
async fn heartbeats_after_an_outage_take_slots_while_there_are_any() {
    let open = Open::new(1);
    open.goes_away();
    open.admits("a").await;
    open.admits("b").await;
    open.is_back();
    let (outcome, is_degraded) = open.beat("b").await;
    assert!(matches!(outcome, HeartbeatOutcome::Revived(Alive { active: 1, .. })) && !is_degraded);
    let (outcome, _) = open.beat("a").await;
    let HeartbeatOutcome::Ended(ending) = outcome else {
        panic!("every slot is taken: {outcome:?}");
    };
    assert_eq!(ending.reason, EndReason::Expired);
    assert_eq!(open.world.live().await, ["b"]);
    assert_eq!(open.world.memo.reconciled(), [true, false]);
    // Its player tries again, and a slot is free by then.
    open.world
        .engine
        .stop(&user("u"), &stop("b"))
        .await
        .unwrap();
    assert!(matches!(
        open.beat("a").await.0,
        HeartbeatOutcome::Revived { .. }
    ));
    assert_eq!(open.remembers(), 0);
}

#[tokio::test]
async fn a_degraded_start_that_had_reached_the_store_takes_one_slot() {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let lost = [Fault::LoseAnswer, Fault::LoseAnswer, Fault::LoseAnswer];
    let store = FaultyStore::new(
        MemoryStore::new(clock.clone()),
        crate::support::faults(lost),
    );
    let world = world_over(Arc::new(store), clock.clone(), Policy::default());
    let engine = Arc::into_inner(world.engine).unwrap().fail_open(clock);
    let told = engine.start(&user("u"), &start("a")).await.unwrap();
    assert!(told.is_degraded);
    let told = engine.heartbeat(&user("u"), &heartbeat("a")).await.unwrap();
    assert!(matches!(
        told.outcome,
        HeartbeatOutcome::Renewed(Alive { active: 1, .. })
    ));
    assert!(!told.is_degraded);
    assert_eq!(engine.degraded_sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn degraded_sessions_without_heartbeats_are_reconciled() {
    let open = Open::new(2);
    open.goes_away();
    let long = Start {
        lease: Some(Seconds(3_600)),
        ..start("a")
    };
    assert!(open.start(&long).await.1);
    open.admits("b").await;
    open.reconciles().await;
    assert_eq!(open.remembers(), 2, "it is still away");
    open.admits("c").await;
    open.is_back();
    open.reconciles().await;
    assert_eq!(open.world.live().await.len(), 2);
    let mut reconciled = open.world.memo.reconciled();
    reconciled.sort_unstable();
    assert_eq!(reconciled, [false, true, true], "the limit is 2");
    assert_eq!(open.remembers(), 1, "so that its player is told why");
}

#[tokio::test(start_paused = true)]
async fn a_degraded_session_whose_lease_is_over_takes_no_slot() {
    let open = Open::new(1);
    open.goes_away();
    open.admits("a").await;
    let lease = Policy::default().lease.as_millis();
    open.world.clock.advance(Duration::from_millis(lease));
    open.is_back();
    open.reconciles().await;
    assert_eq!(open.world.live().await, [""; 0]);
    assert_eq!(open.remembers(), 0);
    assert_eq!(open.beat("a").await.0, HeartbeatOutcome::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_degraded_session_that_was_stopped_or_erased_is_not_reconciled() {
    let open = Open::new(3);
    open.goes_away();
    open.admits("a").await;
    open.admits("b").await;
    let stopped = open.world.engine.stop(&user("u"), &stop("a")).await;
    assert!(matches!(stopped, Err(EngineError::Unavailable(_))));
    assert_eq!(open.remembers(), 1);
    open.is_back();
    let stopped = open.world.engine.stop(&user("u"), &stop("b")).await;
    assert_eq!(stopped.unwrap(), StopOutcome::Stopped, "it had started");
    open.goes_away();
    open.admits("c").await;
    open.is_back();
    open.world.engine.erase_user(&user("u")).await.unwrap();
    open.reconciles().await;
    assert_eq!(open.world.live().await, [""; 0]);
}

#[tokio::test]
async fn a_start_that_the_store_answers_replaces_a_degraded_one() {
    let open = Open::new(1);
    open.goes_away();
    open.admits("a").await;
    open.is_back();
    let (outcome, is_degraded) = open.start(&start("a")).await;
    assert!(matches!(outcome, StartOutcome::Admitted(_)) && !is_degraded);
    assert_eq!(open.remembers(), 0);
}

/// A start of session `a` on a device.
fn start_on(device: &str) -> Start {
    let metadata = SessionMetadata {
        device_id: Some(Name::new(device).unwrap()),
        ..SessionMetadata::default()
    };
    Start {
        metadata: Some(metadata.into()),
        ..start("a")
    }
}

#[tokio::test]
async fn a_degraded_start_with_the_id_of_another_device_is_taken() {
    let open = Open::new(2);
    open.goes_away();
    let (outcome, _) = open.start(&start_on("tv")).await;
    assert!(matches!(outcome, StartOutcome::Admitted(_)));
    assert_eq!(open.start(&start_on("phone")).await.0, StartOutcome::Taken);
    let (outcome, _) = open.start(&start_on("tv")).await;
    assert!(matches!(outcome, StartOutcome::AlreadyLive(_)));
    // Also once the store is back, which has not heard of the first one.
    open.is_back();
    assert_eq!(open.start(&start_on("phone")).await.0, StartOutcome::Taken);
    assert!(matches!(
        open.beat("a").await.0,
        HeartbeatOutcome::Revived { .. }
    ));
    assert_eq!(open.start(&start_on("phone")).await.0, StartOutcome::Taken);
    assert_eq!(open.remembers(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_degraded_start_with_the_id_of_a_session_in_the_store_takes_no_part_in_it() {
    let open = Open::new(2);
    assert!(!open.start(&start_on("tv")).await.1);
    open.goes_away();
    // This node cannot know that the id is another device's.
    let (outcome, is_degraded) = open.start(&start_on("phone")).await;
    assert!(matches!(outcome, StartOutcome::Admitted(_)) && is_degraded);
    open.is_back();
    open.reconciles().await;
    assert_eq!(open.world.memo.reconciled(), [false]);
    let HeartbeatOutcome::Ended(ending) = open.beat("a").await.0 else {
        panic!("it shares the slot of another device");
    };
    assert_eq!(ending.reason, EndReason::Expired);
    // The device whose session it is starts again, and goes on.
    let (outcome, is_degraded) = open.start(&start_on("tv")).await;
    assert!(matches!(outcome, StartOutcome::AlreadyLive(_)) && !is_degraded);
    assert!(matches!(
        open.beat("a").await.0,
        HeartbeatOutcome::Renewed(Alive { active: 1, .. })
    ));
}

#[tokio::test]
async fn with_sessions_and_if_known_are_admitted_without_the_store() {
    let open = Open::new(1);
    open.goes_away();
    let engine = &open.world.engine;
    let told = engine
        .start(&user("u"), &WithSessions(start("a")))
        .await
        .unwrap();
    let (outcome, view) = told.outcome;
    assert!(matches!(outcome, StartOutcome::Admitted(_)) && told.is_degraded);
    assert_eq!(view[0].id, id("a"));
    let told = engine
        .start(&user("u"), &IfKnown(start("b")))
        .await
        .unwrap();
    assert!(matches!(told.outcome, Some(StartOutcome::Admitted(_))) && told.is_degraded);
    assert_eq!(open.remembers(), 2);
}

#[tokio::test]
async fn a_start_beyond_the_bound_of_the_memory_is_admitted_and_not_remembered() {
    let open = Open::new(1);
    open.goes_away();
    for n in 0..=DEGRADED_SESSIONS_MAX {
        open.admits(&format!("s{n}")).await;
    }
    assert_eq!(open.remembers(), DEGRADED_SESSIONS_MAX);
    // Each start removes a few expired sessions, so that no start takes long.
    let lease = Policy::default().lease.as_millis();
    open.world.clock.advance(Duration::from_millis(lease));
    for n in 0..10 {
        open.admits(&format!("late{n}")).await;
        let heartbeat = heartbeat(&format!("late{n}"));
        let told = open.world.engine.heartbeat(&user("u"), &heartbeat).await;
        assert!(told.unwrap().is_degraded);
    }
    assert!(open.remembers() <= DEGRADED_SESSIONS_MAX - 10);
}
