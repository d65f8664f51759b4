//! Sweeping removes expired sessions and reports them; no answer depends on it.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{
    START_OF_TIME, faults, heartbeat, start, user, world, world_over, world_with_record,
};
use streamgate_clock::ManualClock;
use streamgate_core::Policy;
use streamgate_core::admission::SessionsQuery;
use streamgate_engine::EngineError;
use streamgate_store::decorator::{Intercept, Intercepted};
use streamgate_store::{BoxFuture, Cursor, MemoryStore, Step, Store, StoreError, Swept};

#[tokio::test]
async fn a_sweep_reports_expiries_and_then_forgets_the_user() {
    let world = world(faults([]));
    world
        .engine
        .start(&user("gone"), &start("a"))
        .await
        .unwrap();
    world
        .engine
        .start(&user("there"), &start("b"))
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(60));
    world
        .engine
        .heartbeat(&user("there"), &heartbeat("b"))
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(30));
    world.engine.sweep_all().await.unwrap();
    assert_eq!(world.memo.words(), ["started a", "started b", "expired a"]);
    assert_eq!(world.engine.record_count(), Some(2));
    world.clock.advance(Duration::from_secs(600));
    world.engine.sweep_all().await.unwrap();
    assert_eq!(
        world.memo.words(),
        ["started a", "started b", "expired a", "expired b"]
    );
    assert_eq!(world.engine.record_count(), Some(1));
    world.clock.advance(Duration::from_secs(600));
    world.engine.sweep_all().await.unwrap();
    assert_eq!(world.engine.record_count(), Some(0));
}

#[tokio::test]
async fn a_slot_is_free_at_the_end_of_the_lease_without_a_sweep() {
    let world = world(faults([]));
    for session in ["a", "b", "c"] {
        world
            .engine
            .start(&user("u"), &start(session))
            .await
            .unwrap();
    }
    world.clock.advance(Duration::from_millis(89_999));
    assert_eq!(
        world
            .engine
            .sessions(&user("u"), &SessionsQuery::default())
            .await
            .unwrap()
            .sessions
            .len(),
        3
    );
    world.clock.advance(Duration::from_millis(1));
    assert!(
        world
            .engine
            .sessions(&user("u"), &SessionsQuery::default())
            .await
            .unwrap()
            .sessions
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn the_sweep_goes_on_after_the_store_failed() {
    let world = world(faults(
        [streamgate_store::faults::Fault::None; 1]
            .into_iter()
            .chain([
                streamgate_store::faults::Fault::Refuse,
                streamgate_store::faults::Fault::Refuse,
            ]),
    ));
    world.engine.start(&user("u"), &start("a")).await.unwrap();
    world.clock.advance(Duration::from_secs(90));
    let engine = Arc::clone(&world.engine);
    let sweep = tokio::spawn(async move { engine.sweep_forever().await });
    // The clock of the runtime is paused: it jumps when all tasks wait.
    tokio::time::timeout(Duration::from_secs(60), async {
        while world.memo.words().len() < 2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await
    .expect("the sweep found the session");
    sweep.abort();
    assert_eq!(world.memo.words(), ["started a", "expired a"]);
}

#[tokio::test]
async fn a_damaged_record_is_an_error_for_its_user_only() {
    let world = world_with_record("broken", vec![99]).await;
    let error = world
        .engine
        .start(&user("broken"), &start("a"))
        .await
        .unwrap_err();
    assert!(!error.is_retryable());
    assert!(!error.to_string().contains("broken"), "{error}");
    assert_eq!(world.memo.damaged(), 1);
    assert_eq!(world.memo.take_failed(), ["broken"]);
    world
        .engine
        .start(&user("whole"), &start("a"))
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(90));
    world.engine.sweep_all().await.unwrap();
    assert_eq!(world.memo.words(), ["started a", "expired a"]);
    assert_eq!(world.memo.damaged(), 2, "the sweep has met it, too");
}

/// A store that sweeps and never answers.
#[derive(Debug)]
struct Silent(MemoryStore);

impl Intercept for Silent {
    fn inner(&self) -> &dyn Store {
        &self.0
    }

    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        Box::pin(async move {
            self.0.sweep(from, budget, step).await?;
            std::future::pending().await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_is_cut_off_reports_what_it_ended_and_reports_it_once() {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let store = Intercepted(Silent(MemoryStore::new(clock.clone())));
    let world = world_over(Arc::new(store), clock, Policy::default());
    world.engine.start(&user("u"), &start("a")).await.unwrap();
    world.clock.advance(Duration::from_secs(90));
    for _ in 0..2 {
        let cut_off = world.engine.sweep_all().await;
        assert_eq!(cut_off, Err(EngineError::DeadlineExceeded(5_000)));
        assert_eq!(world.memo.words(), ["started a", "expired a"]);
    }
}
