//! What a watchdog sees of the commit writer: stuck in a write or a sync, or only waiting for room.

use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::{ManualClock, Stopwatch};
use streamgate_store::{Store, StoreError};
use streamgate_store_embedded::{CommitWatch, EmbeddedConfig, EmbeddedStore, NoLogObserver};

use crate::common::events::{PATIENCE, until_prepared};
use crate::common::power::{PowerDisk, no_dir};
use crate::common::{NOON, small, start, stop};

/// Between two looks: longer than changes are gathered (50 ms), and than the writer waits before it
/// tries a full disk again (200 ms).
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

fn open(disk: &PowerDisk) -> EmbeddedStore {
    let config = EmbeddedConfig {
        segment_bytes: 8 << 10,
        ..small(&no_dir())
    };
    EmbeddedStore::open_on(
        Arc::new(disk.clone()),
        config,
        Arc::new(ManualClock::at(NOON)),
        Arc::new(NoLogObserver),
        Arc::new(|error| panic!("the store failed: {error}")),
    )
    .unwrap()
}

/// Two looks, some time apart.
async fn looks_stuck(watch: &mut CommitWatch) -> bool {
    watch.is_stuck();
    tokio::time::sleep(BETWEEN_LOOKS).await;
    watch.is_stuck()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_does_not_return_is_seen_until_it_returns() {
    let disk = PowerDisk::default();
    let store = Arc::new(open(&disk));
    let mut watch = store.commit_watch();
    start(&*store, "ann", "tv").await.unwrap();
    assert!(
        !looks_stuck(&mut watch).await,
        "an idle writer is not stuck"
    );

    disk.hold_syncs(true);
    let held = tokio::spawn({
        let store = Arc::clone(&store);
        async move { start(&*store, "ben", "tv").await }
    });
    let waited = Stopwatch::start();
    while !looks_stuck(&mut watch).await {
        assert!(waited.elapsed() < PATIENCE, "the stuck sync is not seen");
    }
    assert!(!held.is_finished(), "the call waits for the sync");

    disk.hold_syncs(false);
    held.await.unwrap().unwrap();
    assert!(!looks_stuck(&mut watch).await, "the writer goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_waits_for_room_on_a_full_disk_is_not_stuck() {
    let disk = PowerDisk::default();
    let store = Arc::new(open(&disk));
    let mut watch = store.commit_watch();
    until_prepared(|name| disk.has_for_good(name));
    disk.leave_room(Some(0));
    let mut users = 0;
    while !matches!(
        start(&*store, &format!("u-{users}"), "tv").await,
        Err(StoreError::Full(_))
    ) {
        users += 1;
    }
    // Stops use up the reserve; those that find none are refused or wait with the writer.
    let waiting: Vec<_> = (0..users)
        .map(|user| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { stop(&*store, &format!("u-{user}"), "tv").await })
        })
        .collect();
    assert!(
        waiting.iter().any(|stopping| !stopping.is_finished()),
        "the writer has a batch that finds no room"
    );
    for look in 0..3 {
        assert!(!looks_stuck(&mut watch).await, "look {look}");
    }
    disk.leave_room(None);
    for stopping in waiting {
        let stopped = stopping.await.unwrap();
        assert!(matches!(stopped, Ok(()) | Err(StoreError::Full(_))));
    }
    store.close().await.unwrap();
}
