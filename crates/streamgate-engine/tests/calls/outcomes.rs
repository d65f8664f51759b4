//! Lost requests, lost answers, refusals and deadlines.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{START_OF_TIME, faults, id, start, stop, user, world, world_over};
use streamgate_clock::ManualClock;
use streamgate_core::admission::{Edit, SetUser, Start, StartOutcome, StopOutcome, WithSessions};
use streamgate_core::{OverLimit, Policy};
use streamgate_engine::EngineError;
use streamgate_store::MemoryStore;
use streamgate_store::faults::Fault::{
    DelayAnswer, DelayRequest, LoseAnswer, LoseRequest, None as NoFault, Refuse,
};
use streamgate_store::faults::FaultyStore;

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_admitted_once() {
    for plan in [
        vec![LoseAnswer],
        vec![LoseRequest],
        vec![LoseRequest, LoseAnswer],
        vec![LoseAnswer, LoseRequest],
        vec![LoseAnswer, LoseAnswer],
        vec![LoseRequest, LoseRequest],
    ] {
        let world = world(faults(plan.clone()));
        let told = world.engine.start(&user("u"), &start("a")).await.unwrap();
        assert!(
            matches!(told.outcome, StartOutcome::Admitted(_)),
            "{plan:?}: {told:?}"
        );
        assert_eq!(world.memo.words(), ["started a"], "{plan:?}");
        assert_eq!(world.memo.unknown() as usize, plan.len());
        assert_eq!(world.live().await.len(), 1);
    }
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_names_the_session_it_evicted() {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let plan = faults([NoFault, LoseAnswer]);
    let store = FaultyStore::new(MemoryStore::new(clock.clone()), plan);
    let policy = Policy {
        default_limit: 1,
        at_limit: streamgate_core::AtLimit::EvictOldest,
        evict_min_age: streamgate_core::Seconds(0),
        ..Policy::default()
    };
    let world = world_over(Arc::new(store), clock, policy);
    world.engine.start(&user("u"), &start("old")).await.unwrap();
    let told = world.engine.start(&user("u"), &start("new")).await.unwrap();
    let StartOutcome::Admitted(new) = told.outcome else {
        panic!("the start is admitted");
    };
    assert_eq!(new.evicted.len(), 1);
    assert_eq!(new.evicted[0].id, id("old"));
    assert_eq!(
        world.memo.words(),
        ["started old", "evicted old", "started new"]
    );
}

/// A start of a session above a lowered limit ends that session and starts it again: in the record,
/// its ending has left nothing.
#[tokio::test]
async fn a_session_that_ended_and_started_again_in_one_run_is_reported_when_its_answer_was_lost() {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let plan = faults([NoFault, NoFault, NoFault, LoseAnswer]);
    let store = FaultyStore::new(MemoryStore::new(clock.clone()), plan);
    let policy = Policy {
        default_limit: 2,
        over_limit: OverLimit::EndNewest,
        ..Policy::default()
    };
    let world = world_over(Arc::new(store), clock.clone(), policy);
    let (engine, user) = (&world.engine, user("u"));
    engine.start(&user, &start("a")).await.unwrap();
    engine.start(&user, &start("d")).await.unwrap();
    let lower = SetUser {
        limit: Edit::Set(1),
        ..SetUser::default()
    };
    engine.run(&user, &lower).await.unwrap();
    clock.advance(Duration::from_millis(1));
    let in_place_of_a = Start {
        replaces: Some(id("a")),
        ..start("d")
    };
    let told = engine.start(&user, &in_place_of_a).await.unwrap();
    assert!(
        matches!(told.outcome, StartOutcome::Admitted(_)),
        "{told:?}"
    );
    assert_eq!(world.memo.unknown(), 1);
    assert_eq!(
        world.memo.words(),
        [
            "started a",
            "started d",
            "evicted d",
            "terminated a",
            "started d"
        ]
    );
}

#[tokio::test]
async fn a_stop_whose_answer_was_lost_has_stopped() {
    let world = world(faults([NoFault, LoseAnswer]));
    world.engine.start(&user("u"), &start("a")).await.unwrap();
    let outcome = world.engine.stop(&user("u"), &stop("a")).await.unwrap();
    assert_eq!(outcome, StopOutcome::Stopped);
    assert_eq!(world.memo.words(), ["started a", "stopped a"]);
}

#[tokio::test]
async fn a_start_that_the_store_refuses_changes_nothing() {
    let world = world(faults([Refuse]));
    let error = world
        .engine
        .start(&user("u"), &start("a"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, EngineError::Unavailable(_)) && error.is_retryable(),
        "{error}"
    );
    assert_eq!(world.live().await.len(), 0);
    assert!(world.memo.words().is_empty());
}

#[tokio::test]
async fn a_start_that_stays_unknown_is_an_unknown_outcome_and_can_be_repeated() {
    for last in [LoseAnswer, LoseRequest, Refuse] {
        let world = world(faults([LoseAnswer, LoseAnswer, last]));
        let error = world
            .engine
            .start(&user("u"), &start("a"))
            .await
            .unwrap_err();
        assert!(matches!(error, EngineError::OutcomeUnknown(_)) && error.is_retryable());
        let told = world.engine.start(&user("u"), &start("a")).await.unwrap();
        assert!(
            matches!(told.outcome, StartOutcome::AlreadyLive(_)),
            "{told:?}"
        );
        assert_eq!(world.live().await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_given_up_at_the_deadline() {
    let long = Duration::from_secs(3_600);
    for fault in [DelayRequest(long), DelayAnswer(long)] {
        let world = world(faults([fault]));
        let (user, start) = (user("u"), start("a"));
        let call = world.engine.start(&user, &start);
        let answer = tokio::time::timeout(Duration::from_secs(6), call).await;
        assert_eq!(
            answer.expect("in time"),
            Err(EngineError::DeadlineExceeded(5_000))
        );
        // Whatever the outcome was, the same start again takes one slot.
        world.engine.start(&user, &start).await.unwrap();
        assert_eq!(world.live().await.len(), 1);
    }
}

#[tokio::test]
async fn readiness_is_that_of_the_store() {
    let world = world(faults([Refuse]));
    assert!(matches!(
        world.engine.check_ready().await,
        Err(EngineError::Unavailable(_))
    ));
    assert_eq!(world.engine.check_ready().await, Ok(()));
}

#[tokio::test]
async fn a_stop_of_the_newest_that_the_store_refuses_changes_nothing() {
    for plan in [vec![Refuse], vec![NoFault, Refuse]] {
        let plan = [vec![NoFault], plan].concat();
        let world = world(faults(plan.clone()));
        world.engine.start(&user("u"), &start("a")).await.unwrap();
        let error = world.engine.stop_newest(&user("u")).await.unwrap_err();
        assert!(
            matches!(error, EngineError::Unavailable(_)),
            "{plan:?}: {error}"
        );
        assert_eq!(world.live().await.len(), 1);
    }
}

#[tokio::test]
async fn a_stop_of_the_newest_that_stays_unknown_is_an_unknown_outcome() {
    let plan = faults([NoFault, NoFault, LoseAnswer, LoseRequest, LoseRequest]);
    let world = world(plan);
    world.engine.start(&user("u"), &start("a")).await.unwrap();
    let error = world.engine.stop_newest(&user("u")).await.unwrap_err();
    assert!(matches!(error, EngineError::OutcomeUnknown(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_the_newest_has_one_deadline_for_both_of_its_runs() {
    let slow = DelayAnswer(Duration::from_secs(3));
    let world = world(faults([NoFault, slow, slow]));
    world.engine.start(&user("u"), &start("a")).await.unwrap();
    let answer = world.engine.stop_newest(&user("u")).await;
    assert_eq!(answer, Err(EngineError::DeadlineExceeded(5_000)));
}

#[test]
fn session_ids_are_uuids_of_version_7_and_for_dialects_of_version_4() {
    let world = world(faults([]));
    let version = |id: streamgate_core::SessionId| id.as_uuid_bytes().unwrap()[6] >> 4;
    assert_eq!(version(world.engine.new_session_id_v4()), 4);
    assert_eq!(version(world.engine.new_session_id()), 7);
}

#[tokio::test]
async fn a_command_without_an_operation_of_its_own_is_run_and_reported() {
    let world = world(faults([NoFault, NoFault, LoseAnswer]));
    for session in ["a", "b"] {
        let start = start(session);
        world.engine.start(&user("u"), &start).await.unwrap();
    }
    let command = WithSessions(stop("a"));
    let (outcome, watching) = world.engine.run(&user("u"), &command).await.unwrap();
    assert_eq!(outcome, StopOutcome::Stopped);
    let left: Vec<_> = watching.iter().map(|it| it.id.to_string()).collect();
    assert_eq!(left, ["b"]);
    assert_eq!(world.memo.words(), ["started a", "started b", "stopped a"]);
}
