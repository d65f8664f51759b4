//! Snapshots: the log stays short, commits go on meanwhile, and no delta is applied twice.

use std::path::Path;
use std::sync::Arc;

use std::time::Duration;

use crate::common::events::{PATIENCE, Snapshots};
use crate::common::power::{PowerDisk, no_dir};
use crate::common::{
    NOON, contents, copy_dir, dir_bytes, files, key, open_small, run, session, settle, small,
    start, stop,
};
use streamgate_clock::{ManualClock, Stopwatch};
use streamgate_core::Seconds;
use streamgate_core::admission::Start;
use streamgate_store::Store;
use streamgate_store_embedded::{
    DurabilityMode, EmbeddedConfig, EmbeddedStore, LogObserver, NoLogObserver,
};
use tempfile::tempdir;
use tokio::task::JoinSet;

/// A store of small files that snapshots when its log is this long.
fn open_with(dir: &Path, observer: Arc<dyn LogObserver>, min_log_bytes: u64) -> EmbeddedStore {
    open_config(small(dir), observer, min_log_bytes)
}

fn open_config(
    config: EmbeddedConfig,
    observer: Arc<dyn LogObserver>,
    min_log_bytes: u64,
) -> EmbeddedStore {
    let config = EmbeddedConfig {
        snapshot_min_log_bytes: min_log_bytes,
        // The state is compared, not its survival; syncs would only take time.
        durability: DurabilityMode::Os,
        ..config
    };
    let clock = Arc::new(ManualClock::at(NOON));
    let hook = Arc::new(|error| panic!("{error}"));
    EmbeddedStore::open(config, clock, observer, hook).unwrap()
}

/// Starts and stops sessions of one user.
async fn zap(store: Arc<EmbeddedStore>, user: String, times: u32) {
    for count in 0..times {
        start(&*store, &user, &format!("session-{count}"))
            .await
            .unwrap();
        if count >= 2 {
            stop(&*store, &user, &format!("session-{}", count - 2))
                .await
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_under_load_and_the_log_behind_it_give_the_same_state() {
    for round in 0..20 {
        let dir = tempdir().unwrap();
        let (observer, snapshots) = Snapshots::new();
        let store = Arc::new(open_with(dir.path(), observer, u64::MAX));
        let mut tasks = JoinSet::new();
        for user in 0..16 {
            tasks.spawn(zap(Arc::clone(&store), format!("user-{user}"), 40 + round));
        }
        for _ in 0..3 {
            store.request_snapshot();
            tokio::task::yield_now().await;
            snapshots.recv_timeout(PATIENCE).unwrap();
        }
        tasks.join_all().await;
        let before = contents(&*store).await;
        let copy = tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        store.close().await.unwrap();
        for dir in [&dir, &copy] {
            let again = open_small(dir.path());
            assert_eq!(contents(&again).await, before);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_stays_as_small_as_the_live_state() {
    let dir = tempdir().unwrap();
    let (observer, snapshots) = Snapshots::new();
    let store = Arc::new(open_with(dir.path(), observer, 64 << 10));
    let mut tasks = JoinSet::new();
    for user in 0..20 {
        tasks.spawn(zap(Arc::clone(&store), format!("user-{user}"), 1_500));
    }
    tasks.join_all().await;
    // 59,960 changes of about a hundred bytes were some 5 MB of log.
    assert!(snapshots.try_iter().count() >= 3, "snapshots were written");
    store.close().await.unwrap();
    drop(store);
    let bytes = dir_bytes(dir.path());
    assert!(bytes < 1 << 20, "{bytes} bytes: {:?}", files(dir.path()));
    let again = open_small(dir.path());
    assert_eq!(contents(&again).await.len(), 20);
}

/// A snapshot begins a new segment: it does not wait for the one in use to fill.
#[tokio::test]
async fn a_snapshot_is_written_at_the_least_log_length_although_segments_are_longer() {
    let dir = tempdir().unwrap();
    let (observer, snapshots) = Snapshots::new();
    let config = EmbeddedConfig::new(dir.path());
    let (segment_bytes, min_log_bytes) = (config.segment_bytes, 64 << 10);
    assert!(segment_bytes > 16 * min_log_bytes);
    let store = Arc::new(open_config(config, observer, min_log_bytes));
    // Each turn writes some 200 KB of log. The snapshot begins with the first change that finds the
    // next segment prepared.
    let waited = Stopwatch::start();
    while snapshots.try_recv().is_err() {
        assert!(waited.elapsed() < PATIENCE, "a snapshot is written");
        zap(Arc::clone(&store), "user".into(), 1_000).await;
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_while_a_snapshot_is_written_leaves_a_sound_directory() {
    for _ in 0..20 {
        let dir = tempdir().unwrap();
        let (observer, _snapshots) = Snapshots::new();
        let store = open_with(dir.path(), observer, u64::MAX);
        for user in 0..30 {
            start(&store, &format!("user-{user}"), "a").await.unwrap();
        }
        store.request_snapshot();
        store.close().await.unwrap();
        drop(store);
        assert!(
            streamgate_store_embedded::tools::check(dir.path())
                .unwrap()
                .is_sound()
        );
        let again = open_small(dir.path());
        assert_eq!(contents(&again).await.len(), 30);
    }
}

/// Live sessions would come back the same if deltas were applied twice: every session that started
/// in them ends in them again. The order of endings, which says whom to forget first, would not,
/// and a user that was forgotten would be there again.
#[tokio::test]
async fn replay_skips_deltas_that_the_snapshot_contains() {
    let disk = PowerDisk::default();
    let clock = Arc::new(ManualClock::at(NOON));
    let (observer, snapshots) = Snapshots::new();
    let open = |disk: &PowerDisk, observer: Arc<dyn LogObserver>| {
        let (disk, hook) = (Arc::new(disk.clone()), Arc::new(|error| panic!("{error}")));
        EmbeddedStore::open_on(disk, small(&no_dir()), clock.clone(), observer, hook).unwrap()
    };
    let store = open(&disk, observer);
    let long = Start {
        lease: Some(Seconds(24 * 60 * 60)),
        ..Start::new(session("long"))
    };
    run(&store, &key("zapper"), &long).await.unwrap();
    // The log goes on in the segment of the snapshot, and the copies are made later.
    disk.hold_creates(Some("snapshot-"));
    store.request_snapshot();
    for user in ["zapper", "forgotten"] {
        start(&store, user, "short").await.unwrap();
        stop(&store, user, "short").await.unwrap();
    }
    clock.advance(Duration::from_secs(300));
    stop(&store, "zapper", "long").await.unwrap();
    clock.advance(Duration::from_secs(300));
    settle(&store, "forgotten").await.unwrap();
    let before = contents(&store).await;
    assert_eq!(before.len(), 1);
    assert_eq!(before["zapper"].1, ["short", "long"]);
    disk.hold_creates(None);
    assert_eq!(snapshots.recv_timeout(PATIENCE).unwrap(), 1);
    drop(store);
    let again = open(&disk.after_process_death(), Arc::new(NoLogObserver));
    assert_eq!(again.recovered().log_records, 5, "they are in the log too");
    assert_eq!(contents(&again).await, before);
}
