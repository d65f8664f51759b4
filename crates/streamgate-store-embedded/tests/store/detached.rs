//! Calls that are dropped while the disk works: observers get their changes once these are on disk,
//! and never those whose outcome is unknown.

use std::future::Future;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::common::power::{Failing, PowerDisk, no_dir};
use crate::common::{NOON, key, session, small};
use streamgate_clock::ManualClock;
use streamgate_core::admission::{Heartbeat, Start};
use streamgate_core::{Event, Policy, UserKey};
use streamgate_engine::{Engine, EngineObserver, EngineSettings, RandomIds};
use streamgate_store_embedded::{EmbeddedStore, NoLogObserver};

/// The longest that a thread of the store may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends each started and ended session to a channel, with its user.
#[derive(Debug)]
struct Reports(Mutex<mpsc::Sender<(UserKey, &'static str)>>);

impl EngineObserver for Reports {
    fn committed(&self, user: &UserKey, events: &[Event]) {
        for event in events {
            let word = match event {
                Event::Started(_) => "started",
                Event::Ended(end) => end.reason.as_str(),
                _ => continue,
            };
            self.0.lock().unwrap().send((user.clone(), word)).unwrap();
        }
    }
}

struct World {
    disk: PowerDisk,
    clock: Arc<ManualClock>,
    engine: Engine,
    reports: mpsc::Receiver<(UserKey, &'static str)>,
    failed: mpsc::Receiver<()>,
}

impl World {
    fn new() -> Self {
        let (disk, clock) = (PowerDisk::default(), Arc::new(ManualClock::at(NOON)));
        let (report, reports) = mpsc::channel();
        let (fail, failed) = mpsc::channel();
        let fail = Mutex::new(fail);
        let store = EmbeddedStore::open_on(
            Arc::new(disk.clone()),
            small(&no_dir()),
            clock.clone(),
            Arc::new(NoLogObserver),
            Arc::new(move |_| fail.lock().unwrap().send(()).unwrap()),
        );
        let engine = Engine::new(
            Arc::new(store.unwrap()),
            Arc::new(Policy::default()),
            Arc::new(RandomIds),
            Arc::new(Reports(Mutex::new(report))),
            EngineSettings::default(),
        );
        Self {
            disk,
            clock,
            engine,
            reports,
            failed,
        }
    }

    /// Begins a start and drops it while it waits for the disk.
    fn starts_and_goes(&self, user: &UserKey) {
        let start = Start::new(session("a"));
        let mut call = Box::pin(self.engine.start(user, &start));
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "the disk is held");
    }
}

#[tokio::test]
async fn the_start_of_a_dropped_call_is_reported_when_it_is_on_disk() {
    let world = World::new();
    world.disk.hold_syncs(true);
    for user in ["u0", "u1", "u2"] {
        world.starts_and_goes(&key(user));
    }
    assert!(world.reports.try_recv().is_err(), "nothing is on disk");
    world.disk.hold_syncs(false);
    for user in ["u0", "u1", "u2"] {
        let report = world.reports.recv_timeout(PATIENCE).unwrap();
        assert_eq!(report, (key(user), "started"));
    }
    // It is reported once: a repeated start of the same session changes nothing.
    let again = Start::new(session("a"));
    world.engine.start(&key("u0"), &again).await.unwrap();
    world.engine.close().await.unwrap();
    assert!(world.reports.try_recv().is_err());
}

#[tokio::test]
async fn a_store_that_closes_reports_the_starts_of_dropped_calls_before() {
    let world = World::new();
    world.disk.hold_syncs(true);
    world.starts_and_goes(&key("u"));
    world.disk.hold_syncs(false);
    world.engine.close().await.unwrap();
    assert_eq!(world.reports.try_recv(), Ok((key("u"), "started")));
}

#[tokio::test]
async fn the_start_of_a_dropped_call_is_not_reported_when_the_disk_fails() {
    let world = World::new();
    world.disk.hold_syncs(true);
    world.starts_and_goes(&key("u"));
    world.disk.fail(Some(Failing {
        operation: "sync",
        name: "log-",
    }));
    world.disk.hold_syncs(false);
    world.failed.recv_timeout(PATIENCE).unwrap();
    assert!(world.reports.try_recv().is_err());
}

#[tokio::test]
async fn a_sweep_reports_expired_sessions_and_renewals_are_not_reported() {
    let world = World::new();
    for user in ["u", "v"] {
        let start = Start::new(session("a"));
        world.engine.start(&key(user), &start).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(60));
    let beat = Heartbeat { id: session("a") };
    world.engine.heartbeat(&key("v"), &beat).await.unwrap();
    world.clock.advance(Duration::from_secs(30));
    world.engine.sweep_all().await.unwrap();
    let reports: Vec<_> = world.reports.try_iter().collect();
    let (u, v) = (key("u"), key("v"));
    let expected = [(u.clone(), "started"), (v, "started"), (u, "expired")];
    assert_eq!(reports, expected);
}
