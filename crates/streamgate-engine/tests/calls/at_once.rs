//! A heartbeat has the same answer whether the store answers without waiting or not.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{
    START_OF_TIME, World, faults, heartbeat, start, stop, user, world, world_over,
};
use futures_util::FutureExt as _;
use streamgate_clock::ManualClock;
use streamgate_core::Policy;
use streamgate_store::MemoryStore;

/// A user with a live, an expired and a stopped session.
async fn watched(world: &World) {
    let user = user("u");
    for session in ["expired", "stopped"] {
        world.engine.start(&user, &start(session)).await.unwrap();
    }
    world.engine.stop(&user, &stop("stopped")).await.unwrap();
    world.clock.advance(Duration::from_secs(100));
    world.engine.start(&user, &start("live")).await.unwrap();
    world.clock.advance(Duration::from_secs(30));
}

#[tokio::test]
async fn heartbeats_answered_without_waiting_equal_those_that_wait() {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let quick = world_over(store, clock, Policy::default());
    // A store with fault injection never answers without waiting.
    let slow = world(faults([]));
    watched(&quick).await;
    watched(&slow).await;
    for session in ["live", "expired", "expired", "stopped", "never"] {
        let beat = heartbeat(session);
        let at_once = quick.engine.heartbeat(&user("u"), &beat).now_or_never();
        let asked = slow.engine.heartbeat(&user("u"), &beat).await;
        assert_eq!(at_once, Some(asked), "{session}");
        assert_eq!(quick.memo.words(), slow.memo.words(), "{session}");
    }
    assert_eq!(quick.memo.words().last().unwrap(), "revived expired");
}
