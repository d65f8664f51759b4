//! The node's clock is set while it serves. What would be decided by it never reaches the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use streamgate_clock::{Clock, SystemClock};
use streamgate_core::admission::{Heartbeat, Start};
use streamgate_core::{Moment, Policy, Seconds, SessionId, TenantId, Timestamp};
use streamgate_engine::{Engine, EngineSettings, NoObserver, RandomIds};
use streamgate_store::StoreError;
use streamgate_store::versioned::{Optimistic, Speculation, VersionedStore};
use streamgate_testkit::proxy::http::{Act, Proxy};

use crate::support::{config, connect, read, server_with_table, user, write};

/// A right wall clock that a test sets.
#[derive(Debug)]
struct SetClock {
    right: SystemClock,
    ahead_ms: AtomicI64,
}

impl SetClock {
    fn right() -> Arc<Self> {
        Arc::new(Self {
            right: SystemClock::on_the_wall(&Policy::default()),
            ahead_ms: AtomicI64::new(0),
        })
    }

    fn set(&self, ahead_s: i64) {
        self.ahead_ms.store(ahead_s * 1_000, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Moment {
        let right_ms = self.right.now().time.as_millis();
        let ahead_ms = self.ahead_ms.load(Ordering::SeqCst);
        Timestamp::from_millis(right_ms.saturating_add_signed(ahead_ms)).into()
    }
}

fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

/// The node is the only writer of the user, so it would commit without a load.
#[tokio::test]
async fn a_call_in_the_moment_after_a_clock_step_writes_nothing() {
    let server = server_with_table().await;
    let proxy = Proxy::before(&server.url(), |_| Act::Pass).await;
    let clock = SetClock::right();
    let store = connect(&config(proxy.url())).await;
    let engine = Engine::new(
        Arc::new(Optimistic::new(store.with_clock(clock.clone()))),
        Arc::new(Policy {
            clock_skew: Seconds(5),
            ..Policy::default()
        }),
        Arc::new(RandomIds),
        Arc::new(NoObserver),
        EngineSettings {
            deadline: Duration::from_secs(30),
            ..EngineSettings::default()
        },
    );
    let direct = connect(&config(&server.url())).await;
    for (i, ahead_s) in [-600, 600, -7, 8].into_iter().enumerate() {
        clock.set(0);
        engine.check_ready().await.unwrap();
        let key = user(&format!("u{i}"));
        for session in ["tv", "phone", "tablet"] {
            engine.start(&key, &Start::new(id(session))).await.unwrap();
        }
        let stored = read(&direct, &key).await;
        proxy.take_seen();
        clock.set(ahead_s);
        let heartbeat = Heartbeat { id: id("tv") };
        let refused = engine.heartbeat(&key, &heartbeat).await.unwrap_err();
        let told = refused.to_string();
        assert!(told.contains("clock of this node is wrong"), "{told}");
        assert_eq!(proxy.take_seen(), ["GetItem"], "{ahead_s} s");
        assert_eq!(read(&direct, &key).await, stored, "{ahead_s} s");
        clock.set(0);
        engine.heartbeat(&key, &heartbeat).await.unwrap();
    }
}

#[tokio::test]
async fn a_clock_that_is_set_between_load_and_commit_writes_nothing() {
    let server = server_with_table().await;
    let proxy = Proxy::before(&server.url(), |_| Act::Pass).await;
    let clock = SetClock::right();
    let store = connect(&config(proxy.url())).await;
    let store = store.with_clock(clock.clone());
    let key = user("u");
    assert_eq!(store.speculation(&key), Speculation::Never);
    let loaded = store.load(&key).await.unwrap();
    assert_ne!(store.speculation(&key), Speculation::Never);
    proxy.take_seen();
    clock.set(-600);
    assert_eq!(store.speculation(&key), Speculation::Never);
    let refused = store.commit(&key, loaded.version, &write(b"r")).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    assert!(proxy.take_seen().is_empty());
    let scanned = store.scan(&TenantId::default_tenant(), None, 10).await;
    assert!(
        matches!(scanned, Err(StoreError::Refused(_))),
        "{scanned:?}"
    );
    clock.set(0);
    store
        .commit(&key, loaded.version, &write(b"r"))
        .await
        .unwrap();
}
