//! Acknowledged changes are there after a restart, however the process ended.

use crate::common::{
    contents, copy_dir, key, open, open_small, session, settle, small, start, stop, with_mode,
};
use std::sync::Arc;
use streamgate_clock::ManualClock;
use streamgate_core::Seconds;
use streamgate_core::admission::{Heartbeat, Start};
use streamgate_core::codec::decode_ledger;
use streamgate_store::{Store, StoreError};
use streamgate_store_embedded::{DurabilityMode, EmbeddedStore, NoLogObserver};
use tempfile::tempdir;

/// Closing writes everything, however little is promised meanwhile.
const MODES: [DurabilityMode; 3] = [
    DurabilityMode::Fsync,
    DurabilityMode::Os,
    DurabilityMode::None,
];

/// Three starts and a stop for each user, all acknowledged.
async fn fill(store: &EmbeddedStore, users: u32) {
    for user in 0..users {
        let user = format!("user-{user}");
        for name in ["a", "b", "c"] {
            start(store, &user, name).await.unwrap();
        }
        stop(store, &user, "b").await.unwrap();
    }
}

#[tokio::test]
async fn after_close_everything_is_there() {
    for mode in MODES {
        let dir = tempdir().unwrap();
        let store = open(with_mode(dir.path(), mode)).unwrap();
        fill(&store, 300).await;
        let before = contents(&store).await;
        assert_eq!(before.len(), 300);
        store.close().await.unwrap();
        store.close().await.unwrap();
        let refused = start(&store, "user-0", "z").await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
        let again = open(with_mode(dir.path(), mode)).unwrap();
        assert_eq!(contents(&again).await, before);
        assert_eq!(
            (again.recovered().users, again.recovered().torn_bytes),
            (300, 0)
        );
    }
}

#[tokio::test]
async fn after_a_drop_without_close_everything_acknowledged_is_there() {
    for mode in [DurabilityMode::Fsync, DurabilityMode::Os] {
        let dir = tempdir().unwrap();
        let mut before = None;
        for round in 0..5 {
            let store = open(with_mode(dir.path(), mode)).unwrap();
            if let Some(before) = before {
                assert_eq!(contents(&store).await, before);
            }
            for user in 0..50 {
                start(&store, &format!("user-{user}"), &format!("round-{round}"))
                    .await
                    .unwrap();
            }
            before = Some(contents(&store).await);
        }
    }
}

#[tokio::test]
async fn a_copy_made_while_it_runs_has_everything_acknowledged() {
    let dir = tempdir().unwrap();
    let copy = tempdir().unwrap();
    let store = open_small(dir.path());
    fill(&store, 100).await;
    let before = contents(&store).await;
    copy_dir(dir.path(), copy.path());
    let again = open_small(copy.path());
    assert_eq!(contents(&again).await, before);
}

#[tokio::test]
async fn a_recovered_session_has_one_lease_of_grace_and_heartbeats_need_no_log() {
    let dir = tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(crate::common::NOON));
    let open_at = |clock: &Arc<ManualClock>| {
        let hook = Arc::new(|error| panic!("{error}"));
        EmbeddedStore::open(
            small(dir.path()),
            clock.clone(),
            Arc::new(NoLogObserver),
            hook,
        )
        .unwrap()
    };
    let store = open_at(&clock);
    let lease = Start {
        lease: Some(Seconds(60)),
        ..Start::new(session("a"))
    };
    crate::common::run(&store, &key("user"), &lease)
        .await
        .unwrap();
    let heartbeat = Heartbeat { id: session("a") };
    crate::common::run(&store, &key("user"), &heartbeat)
        .await
        .unwrap();
    drop(store);
    clock.advance(std::time::Duration::from_secs(3_600));
    let store = open_at(&clock);
    let mut live = None;
    let mut look = |view: streamgate_store::View<'_>| {
        live = Some(decode_ledger(view.record.unwrap()).unwrap().live[0].expires_at);
        None
    };
    store.transact(&key("user"), &mut look).await.unwrap();
    let now = crate::common::NOON.plus(Seconds(3_600));
    assert_eq!(live, Some(now.plus(Seconds(60))));
}

#[tokio::test]
async fn relaxed_changes_are_written_without_a_waiting_call() {
    let dir = tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(crate::common::NOON));
    let hook = Arc::new(|error| panic!("{error}"));
    let store = EmbeddedStore::open(
        small(dir.path()),
        clock.clone(),
        Arc::new(NoLogObserver),
        hook,
    )
    .unwrap();
    start(&store, "user", "a").await.unwrap();
    clock.advance(std::time::Duration::from_secs(3_600));
    settle(&store, "user").await.unwrap();
    store.close().await.unwrap();
    let again = open_small(dir.path());
    let ended = (vec![], vec!["a".to_owned()]);
    assert_eq!(contents(&again).await["user"], ended);
}
