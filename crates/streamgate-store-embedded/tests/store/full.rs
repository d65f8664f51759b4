//! A full disk: starts are refused, everything else goes on, and the store recovers by itself.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_clock::ManualClock;
use streamgate_clock::Stopwatch;
use streamgate_core::admission::{Heartbeat, HeartbeatOutcome, ImportUser, Start};
use streamgate_core::{Attributes, Seconds};
use streamgate_store::{Store, StoreError};
use streamgate_store_embedded::{EmbeddedConfig, EmbeddedStore, LogObserver};

use crate::common::events::{PATIENCE, PREPARED, until_prepared};
use crate::common::power::{Chance, PowerDisk, no_dir};
use crate::common::{NOON, contents, key, run, session, small, start, stop};

const SEGMENT_BYTES: u64 = 8 << 10;

/// The first segment of a new store.
const FIRST: &str = "log-0000000000000001.sg";

/// Sends to a channel when the disk becomes full, and when it has room again.
struct Fullness(Mutex<Sender<bool>>);

impl LogObserver for Fullness {
    fn full(&self, is_full: bool) {
        let _ = self.0.lock().send(is_full);
    }
}

fn open(disk: &PowerDisk) -> (EmbeddedStore, Receiver<bool>) {
    open_with(disk, SEGMENT_BYTES)
}

fn open_with(disk: &PowerDisk, segment_bytes: u64) -> (EmbeddedStore, Receiver<bool>) {
    open_at(disk, segment_bytes, Arc::new(ManualClock::at(NOON)))
}

fn open_at(
    disk: &PowerDisk,
    segment_bytes: u64,
    clock: Arc<ManualClock>,
) -> (EmbeddedStore, Receiver<bool>) {
    let (sender, fullness) = channel();
    let config = EmbeddedConfig {
        segment_bytes,
        ..small(&no_dir())
    };
    let store = EmbeddedStore::open_on(
        Arc::new(disk.clone()),
        config,
        clock,
        Arc::new(Fullness(Mutex::new(sender))),
        Arc::new(|error| panic!("the store failed: {error}")),
    );
    let store = store.unwrap();
    (store, fullness)
}

/// Fills the disk once the second segment is prepared.
fn fill(disk: &PowerDisk) {
    until_prepared(|name| disk.has_for_good(name));
    disk.leave_room(Some(0));
}

/// Starts sessions until one is refused. Returns how many were admitted.
async fn until_full(store: &EmbeddedStore, prefix: &str) -> usize {
    for count in 0..10_000 {
        match start(store, &format!("{prefix}-{count}"), "a").await {
            Ok(()) => {}
            Err(StoreError::Full(_)) => return count,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never was full");
}

/// The sessions of the user `crowd`.
const CROWD: usize = 100;

/// Uses up the room for starts and the reserve. Returns how many users have started a session, and
/// how many sessions were stopped.
async fn use_up_reserve(store: &EmbeddedStore) -> (usize, usize) {
    // One record starts a hundred sessions, and each stop is a record of its own: so there are more
    // sessions to stop than the reserve has room for.
    let crowd = ImportUser {
        sessions: (0..CROWD).map(|n| session(&format!("s-{n}"))).collect(),
        lease: Seconds(90),
        profile: Attributes::default(),
    };
    run(store, &key("crowd"), &crowd).await.unwrap();
    let started = until_full(store, "u").await;
    let of_crowd = (0..CROWD).map(|n| ("crowd".to_owned(), format!("s-{n}")));
    let others = (0..started).map(|n| (format!("u-{n}"), "a".to_owned()));
    for (stopped, (user, session)) in of_crowd.chain(others).enumerate() {
        match stop(store, &user, &session).await {
            Ok(()) => {}
            Err(StoreError::Full(_)) => return (started + 1, stopped),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the reserve never was used up: {started}");
}

/// Starts a session as soon as there is room.
async fn start_when_there_is_room(store: &EmbeddedStore, user: &str) {
    let waited = Stopwatch::start();
    while let Err(error) = start(store, user, "a").await {
        assert!(matches!(error, StoreError::Full(_)), "{error}");
        assert!(waited.elapsed() < PATIENCE, "there is no room");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_starts_and_takes_stops_until_there_is_room() {
    let disk = PowerDisk::default();
    let (store, fullness) = open(&disk);
    fill(&disk);
    let started = until_full(&store, "u").await;
    assert!(started > 20, "the room that is there is used: {started}");
    for user in 0..10 {
        stop(&store, &format!("u-{user}"), "a").await.unwrap();
    }
    store.check_ready().await.unwrap();
    let before = contents(&store).await;
    assert_eq!(before["u-3"].0.len(), 0);
    assert!(matches!(
        start(&store, "late", "a").await,
        Err(StoreError::Full(_))
    ));

    // What was acknowledged on the full disk is on it.
    let after = disk.after_power_loss(&mut Chance::new(7));
    after.leave_room(Some(0));
    let (again, _fullness) = open(&after);
    assert_eq!(contents(&again).await, before);
    stop(&again, "u-11", "a").await.unwrap();
    assert_eq!(contents(&again).await["u-11"].0.len(), 0);

    disk.leave_room(None);
    start_when_there_is_room(&store, "late").await;
    drop(store);
    assert_eq!(fullness.iter().collect::<Vec<_>>(), [true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_up_reserve_refuses_stops_at_once_and_reads_go_on() {
    let disk = PowerDisk::default();
    let (store, _fullness) = open(&disk);
    fill(&disk);
    let (users, stopped) = use_up_reserve(&store).await;
    assert!(stopped > 10, "{stopped}");
    assert_eq!(contents(&store).await.len(), users);
    disk.leave_room(None);
    start_when_there_is_room(&store, "late").await;
    stop(&store, "late", "a").await.unwrap();
    store.close().await.unwrap();
}

/// The expiry of a user's other session does not fit into the log any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_up_reserve_takes_a_heartbeat_that_ends_an_expired_session() {
    let disk = PowerDisk::default();
    let clock = Arc::new(ManualClock::at(NOON));
    let (store, _fullness) = open_at(&disk, SEGMENT_BYTES, Arc::clone(&clock));
    // A long name: where the last stop has not fitted, no change of this user fits.
    let watcher = "watcher".repeat(9);
    let gone = Start {
        lease: Some(Seconds(10)),
        ..Start::new(session("gone"))
    };
    run(&store, &key(&watcher), &gone).await.unwrap();
    start(&store, &watcher, "tv").await.unwrap();
    fill(&disk);
    use_up_reserve(&store).await;
    clock.advance(Duration::from_secs(20));
    let heartbeat = Heartbeat { id: session("tv") };
    let renewed = run(&store, &key(&watcher), &heartbeat).await.unwrap();
    assert!(
        matches!(renewed, HeartbeatOutcome::Renewed(_)),
        "{renewed:?}"
    );
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let found = contents(&store).await;
    assert_eq!(found[&watcher], (names(&["tv"]), names(&["gone"])));

    // A crash may take the expiry back, and nothing else.
    let after = disk.after_power_loss(&mut Chance::new(3));
    let (again, _fullness) = open(&after);
    let found = contents(&again).await;
    assert_eq!(found[&watcher], (names(&["gone", "tv"]), names(&[])));

    // The next change brings it into the log.
    disk.leave_room(None);
    start_when_there_is_room(&store, "late").await;
    start(&store, &watcher, "late").await.unwrap();
    let before = contents(&store).await;
    let live = names(&["tv", "late"]);
    assert_eq!(before[&watcher], (live, names(&["gone"])));
    drop(store);
    let after = disk.after_power_loss(&mut Chance::new(5));
    assert_eq!(contents(&open(&after).0).await, before);
}

/// A mark proves the last batch once the log is idle. Nothing depends on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_room_for_the_mark_of_an_idle_log_ends_nothing() {
    let disk = PowerDisk::default();
    let store = Arc::new(open(&disk).0);
    until_prepared(|name| disk.has_for_good(name));
    disk.hold_syncs(true);
    let starting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { start(&*store, "u", "a").await }
    });
    let waited = Stopwatch::start();
    while !disk.is_in_use(FIRST) {
        assert!(waited.elapsed() < PATIENCE, "the batch is not written");
        tokio::task::yield_now().await;
    }
    disk.refuse_writes(true);
    disk.hold_syncs(false);
    starting.await.unwrap().unwrap();
    while disk.refused_writes() == 0 {
        assert!(waited.elapsed() < PATIENCE, "the mark is not tried");
        tokio::task::yield_now().await;
    }
    disk.refuse_writes(false);
    start(&*store, "v", "a").await.unwrap();
    store.close().await.unwrap();
}

/// The free space does not tell, so the store finds out when it makes the next segment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_is_noticed_by_trying() {
    let disk = PowerDisk::default();
    let (store, fullness) = open(&disk);
    until_prepared(|name| disk.has_for_good(name));
    disk.use_up_quota();
    let mut users = (0..).map(|user| format!("u-{user}"));
    while !disk.is_in_use(PREPARED) {
        start(&store, &users.next().unwrap(), "a").await.unwrap();
    }
    assert_eq!(fullness.recv_timeout(PATIENCE), Ok(true));
    let refused = start(&store, "late", "a").await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    stop(&store, "u-0", "a").await.unwrap();
    disk.leave_room(None);
    start_when_there_is_room(&store, "late").await;
    store.close().await.unwrap();
}

/// The log is too short for a snapshot to be due, and only a snapshot can free old segments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_with_room_for_two_segments_is_freed_by_snapshots() {
    let disk = PowerDisk::default();
    let (store, fullness) = open_with(&disk, 64 << 10);
    fill(&disk);
    // For a snapshot, and for no third segment.
    disk.leave_room(Some(60 << 10));
    for round in 0..1_500 {
        let user = format!("u-{}", round % 3);
        start_when_there_is_room(&store, &user).await;
        stop(&store, &user, "a").await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let heard: Vec<bool> = fullness.iter().collect();
    assert!(heard.contains(&true), "it was full once: {heard:?}");
    let (again, _fullness) = open_with(&disk.after_process_death(), 64 << 10);
    assert_eq!(contents(&again).await.len(), 3);
}
