//! What the observer hears of calls that fail: once for each call that its caller is told of, and
//! never for a caller's own mistake or for work in the background.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::ManualClock;
use streamgate_core::Policy;
use streamgate_core::admission::{Edit, ResetUser, SessionsQuery, SetUser, user_of};
use streamgate_engine::{Engine, EngineError};
use streamgate_store::MemoryStore;
use streamgate_store::faults::Fault;

use crate::support::{START_OF_TIME, World, heartbeat, start, stop, user, world, world_over};

/// Each operation about user `u` once, in this order; those that returned an error.
async fn each_operation(engine: &Engine) -> Vec<&'static str> {
    let u = user("u");
    let beats = [(u.clone(), heartbeat("a")), (u.clone(), heartbeat("b"))];
    let set = SetUser {
        limit: Edit::Set(2),
        ..SetUser::default()
    };
    let results = [
        ("start", engine.start(&u, &start("a")).await.is_err()),
        (
            "heartbeat",
            engine.heartbeat(&u, &heartbeat("a")).await.is_err(),
        ),
        (
            "batch",
            engine
                .heartbeats(&beats, |_| ())
                .await
                .iter()
                .all(Result::is_err),
        ),
        ("stop", engine.stop(&u, &stop("a")).await.is_err()),
        ("stop newest", engine.stop_newest(&u).await.is_err()),
        ("set", engine.run(&u, &set).await.is_err()),
        (
            "reset",
            engine.reset_user(&u, &ResetUser::default()).await.is_err(),
        ),
        ("erase", engine.erase_user(&u).await.is_err()),
        (
            "sessions",
            engine
                .sessions(&u, &SessionsQuery::default())
                .await
                .is_err(),
        ),
        ("user", engine.user(&u, user_of).await.is_err()),
    ];
    let failed = results.into_iter().filter(|(_, failed)| *failed);
    failed.map(|(name, _)| name).collect()
}

#[tokio::test]
async fn each_operation_that_fails_is_reported_with_its_user() {
    let world = world(|| Fault::Refuse);
    assert_eq!(each_operation(&world.engine).await.len(), 10);
    // The batch has two entries.
    assert_eq!(world.memo.take_failed(), ["u"; 11]);
}

#[tokio::test]
async fn operations_that_succeed_are_not_reported() {
    let world = world(|| Fault::None);
    assert_eq!(each_operation(&world.engine).await, [""; 0]);
    assert_eq!(world.memo.take_failed(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_exceeds_its_deadline_is_reported_once() {
    let world = world(|| Fault::DelayRequest(Duration::from_secs(3_600)));
    let started = world.engine.start(&user("u"), &start("a")).await;
    assert!(matches!(started, Err(EngineError::DeadlineExceeded(_))));
    assert_eq!(world.memo.take_failed(), ["u"]);
    let stopped = world.engine.stop_newest(&user("v")).await;
    assert!(matches!(stopped, Err(EngineError::DeadlineExceeded(_))));
    assert_eq!(world.memo.take_failed(), ["v"]);
}

#[tokio::test]
async fn a_refusal_at_the_limit_is_not_reported() {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let policy = Policy {
        default_limit: 1,
        ..Policy::default()
    };
    let world = world_over(Arc::new(MemoryStore::new(clock.clone())), clock, policy);
    for id in ["a", "b"] {
        world.engine.start(&user("u"), &start(id)).await.unwrap();
    }
    world
        .engine
        .heartbeat(&user("u"), &heartbeat("never"))
        .await
        .unwrap();
    assert_eq!(world.memo.take_failed(), [""; 0]);
}

#[tokio::test]
async fn an_engine_that_fails_open_reports_what_it_does_not_answer() {
    let World {
        engine,
        clock,
        memo,
    } = world(|| Fault::Refuse);
    let engine = Arc::into_inner(engine).unwrap().fail_open(clock);
    let failed = each_operation(&engine).await;
    let answered = ["start", "heartbeat", "batch"];
    assert!(
        answered.iter().all(|name| !failed.contains(name)),
        "{failed:?}"
    );
    assert_eq!((failed.len(), memo.take_failed().len()), (7, 7));
    // Reconciliation fails too, and no caller waits for it.
    engine.start(&user("u"), &start("z")).await.unwrap();
    let reconciling = tokio::time::timeout(Duration::from_millis(50), engine.reconcile_forever());
    assert!(reconciling.await.is_err());
    assert_eq!(memo.take_failed(), [""; 0]);
}

/// Whether `call` panics.
async fn panics<F>(call: F) -> bool
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(call)
        .await
        .is_err_and(|error| error.is_panic())
}

#[tokio::test]
async fn a_call_that_panics_is_reported() {
    let world = world(|| panic!("a fault of the program, injected by a test"));
    let engine = Arc::clone(&world.engine);
    assert!(panics(async move { engine.start(&user("u"), &start("a")).await }).await);
    assert_eq!(world.memo.take_failed(), ["u"]);
    let engine = Arc::clone(&world.engine);
    assert!(panics(async move { engine.user(&user("v"), user_of).await }).await);
    assert_eq!(world.memo.take_failed(), ["v"]);
}
