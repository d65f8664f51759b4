//! No answer depends on a change that a crash could take back.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::common::power::{PowerDisk, no_dir};
use crate::common::{NOON, decided, key, run, run_now, session, settle, small, start};
use streamgate_clock::ManualClock;
use streamgate_core::admission::{Heartbeat, HeartbeatOutcome, Settle, Start};
use streamgate_core::{Seconds, TenantId};
use streamgate_store::{Store, StoreError, Transaction, View};
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore, NoLogObserver};

/// A store on a disk whose syncs can be held, and its clock.
fn open(disk: &PowerDisk, durability: DurabilityMode) -> (EmbeddedStore, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOON));
    let config = EmbeddedConfig {
        durability,
        ..small(&no_dir())
    };
    let hook = Arc::new(|error| panic!("{error}"));
    let store = EmbeddedStore::open_on(
        Arc::new(disk.clone()),
        config,
        clock.clone(),
        Arc::new(NoLogObserver),
        hook,
    );
    (store.unwrap(), clock)
}

/// Whether a future completes at its first poll.
fn is_ready<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

#[tokio::test]
async fn a_call_that_sees_a_change_waits_until_it_is_durable() {
    let disk = PowerDisk::default();
    let (store, _) = open(&disk, DurabilityMode::Fsync);
    start(&store, "other", "a").await.unwrap();
    // From here on nothing becomes durable, and only a call that saw something new may notice.
    disk.hold_syncs(true);
    let mut starts = pin!(start(&store, "user", "a"));
    assert!(!is_ready(&mut starts));
    let user = key("user");
    let mut read = pin!(run(&store, &user, &Settle));
    let heartbeat = Heartbeat { id: session("a") };
    let mut heartbeat = pin!(run(&store, &user, &heartbeat));
    let tenant = TenantId::default_tenant();
    let mut scan = pin!(store.scan(&tenant, None, 1_000));
    assert!(!is_ready(&mut read) && !is_ready(&mut heartbeat) && !is_ready(&mut scan));
    // A call that does not see it does not wait.
    settle(&store, "other").await.unwrap();
    settle(&store, "nobody").await.unwrap();
    disk.hold_syncs(false);
    starts.await.unwrap();
    read.await.unwrap();
    heartbeat.await.unwrap();
    assert_eq!(scan.await.unwrap().records.len(), 2);
    settle(&store, "user").await.unwrap();
}

#[tokio::test]
async fn what_needs_the_disk_is_not_answered_at_once() {
    let disk = PowerDisk::default();
    let (store, clock) = open(&disk, DurabilityMode::Fsync);
    start(&store, "other", "a").await.unwrap();
    disk.hold_syncs(true);
    // A change that must be durable.
    let user = key("user");
    assert!(run_now(&store, &user, &Start::new(session("a"))).is_none());
    assert_eq!(
        store.record_count(),
        Some(2),
        "it is on its way to the disk"
    );
    // A heartbeat that sees one which is not durable yet.
    let mut starts = pin!(start(&store, "user", "a"));
    assert!(!is_ready(&mut starts));
    let heartbeat = Heartbeat { id: session("a") };
    assert!(run_now(&store, &user, &heartbeat).is_none());
    // One that sees nothing new is done, although the disk does nothing.
    clock.advance(Duration::from_secs(30));
    let renewed = run_now(&store, &key("other"), &heartbeat).unwrap().unwrap();
    let HeartbeatOutcome::Renewed(alive) = renewed else {
        panic!("{renewed:?}");
    };
    assert_eq!(alive.session.last_seen_at, NOON.plus(Seconds(30)));
    disk.hold_syncs(false);
    starts.await.unwrap();
    assert!(run_now(&store, &user, &heartbeat).unwrap().is_ok());
}

#[tokio::test]
async fn a_step_runs_once_although_its_change_waits_for_the_disk() {
    let (store, clock) = open(&PowerDisk::default(), DurabilityMode::Fsync);
    start(&store, "user", "a").await.unwrap();
    clock.advance(Duration::from_secs(100));
    let (key, heartbeat, mut runs) = (key("user"), Heartbeat { id: session("a") }, 0);
    let mut revival = |view: View<'_>| {
        runs += 1;
        decided(view, &heartbeat, &mut None)
    };
    let call = store.transact(&key, &mut revival);
    assert!(
        matches!(call, Transaction::Pending(_)),
        "a revival is durable"
    );
    call.await.unwrap();
    assert_eq!(runs, 1);
}

#[tokio::test]
async fn a_store_that_is_closed_does_nothing_at_once() {
    let (store, _) = open(&PowerDisk::default(), DurabilityMode::Fsync);
    start(&store, "user", "a").await.unwrap();
    store.close().await.unwrap();
    let heartbeat = Heartbeat { id: session("a") };
    let refused = run_now(&store, &key("user"), &heartbeat).unwrap();
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn no_call_waits_for_an_expiry() {
    let disk = PowerDisk::default();
    let (store, clock) = open(&disk, DurabilityMode::Fsync);
    start(&store, "user", "a").await.unwrap();
    clock.advance(Duration::from_secs(3_600));
    disk.hold_syncs(true);
    let user = key("user");
    let mut expires = pin!(run(&store, &user, &Settle));
    assert!(is_ready(&mut expires));
    disk.hold_syncs(false);
}

#[tokio::test]
async fn with_durability_none_no_call_waits() {
    let disk = PowerDisk::default();
    let (store, _) = open(&disk, DurabilityMode::None);
    disk.hold_syncs(true);
    for user in ["a", "b"] {
        let mut starts = pin!(start(&store, user, "a"));
        assert!(is_ready(&mut starts));
    }
    disk.hold_syncs(false);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_full_queue_makes_calls_wait_and_loses_none() {
    let disk = PowerDisk::default();
    let clock = Arc::new(ManualClock::at(NOON));
    let config = EmbeddedConfig {
        queue_max_bytes: 2_000,
        ..small(&no_dir())
    };
    let hook = Arc::new(|error| panic!("{error}"));
    let observer = Arc::new(NoLogObserver);
    let store = EmbeddedStore::open_on(Arc::new(disk.clone()), config, clock, observer, hook);
    let store = Arc::new(store.unwrap());
    disk.hold_syncs(true);
    let waiting: Vec<_> = (0..200)
        .map(|user| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { start(&*store, &format!("user-{user}"), "a").await })
        })
        .collect();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let taken = store.record_count().unwrap();
    assert!((1..150).contains(&taken), "{taken} were taken");
    disk.hold_syncs(false);
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    assert_eq!(store.record_count(), Some(200));
}

#[tokio::test]
async fn a_dropped_call_leaves_no_waiter_behind() {
    let disk = PowerDisk::default();
    let (store, _) = open(&disk, DurabilityMode::Fsync);
    disk.hold_syncs(true);
    let task = Arc::new(Quiet);
    for _ in 0..100 {
        let user = key("user");
        let start = Start::new(session("a"));
        let waker = Waker::from(Arc::clone(&task));
        let mut call = pin!(run(&store, &user, &start));
        assert!(matches!(
            call.as_mut().poll(&mut Context::from_waker(&waker)),
            Poll::Pending
        ));
    }
    let held = Arc::strong_count(&task) - 1;
    disk.hold_syncs(false);
    assert_eq!(held, 0, "no task is held that has gone");
    start(&store, "user", "b").await.unwrap();
}

/// A waker without effect.
struct Quiet;

impl std::task::Wake for Quiet {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn a_call_polled_again_while_the_queue_is_full_waits_once() {
    let disk = PowerDisk::default();
    let clock = Arc::new(ManualClock::at(NOON));
    let config = EmbeddedConfig {
        queue_max_bytes: 1,
        ..small(&no_dir())
    };
    let hook = Arc::new(|error| panic!("{error}"));
    let observer = Arc::new(NoLogObserver);
    let store = EmbeddedStore::open_on(Arc::new(disk.clone()), config, clock, observer, hook);
    let store = store.unwrap();
    disk.hold_syncs(true);
    // The writer has the first batches, and the next ones fill the queue.
    let mut calls: Vec<_> = (0..200)
        .map(|user| {
            let store = &store;
            Box::pin(async move { start(store, &format!("user-{user}"), "a").await })
        })
        .collect();
    let task = Arc::new(Quiet);
    for _ in 0..50 {
        for call in &mut calls {
            let waker = Waker::from(Arc::clone(&task));
            assert!(
                call.as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
    }
    let (taken, held) = (store.record_count(), Arc::strong_count(&task) - 1);
    disk.hold_syncs(false);
    assert!(taken < Some(200), "some wait for room");
    assert!(held <= 200, "each call waits once, {held} wait");
    for call in calls {
        call.await.unwrap();
    }
}
