//! A primary watched by sentinels: the suite, and then the primary dies under load.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Load, admitted, eventually, lost, open, open_fresh, settings, start, user};
use streamgate_clock::Stopwatch;
use streamgate_core::TenantId;
use streamgate_store::versioned::NotUsable;
use streamgate_store::{Cursor, Store};
use streamgate_store_redis::{RedisSettings, RedisStore};
use streamgate_testkit::Sentinel;

/// How long a failover may take here: sentinels call a primary down after a second, elect a leader,
/// and promote; then the store has to hear of it.
const HEALED_WITHIN_S: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite_and_follows_failovers() {
    let mut servers = Sentinel::start(1);
    let url = servers.url();
    let open = async || open_fresh(&url).await;
    streamgate_store::conformance_suite!(in_sequence open);
    wrong_names_are_told(&servers).await;
    survives_a_dead_primary(&mut servers).await;
}

async fn wrong_names_are_told(servers: &Sentinel) {
    let settings = RedisSettings::new(&servers.url_of("other"));
    let error = RedisStore::open(&settings).await.unwrap_err();
    assert!(matches!(error, NotUsable::Unavailable(_)), "{error}");
    let told = error.to_string();
    assert!(told.contains("knows no primary named \"other\""), "{told}");
}

async fn survives_a_dead_primary(servers: &mut Sentinel) {
    let careful = RedisSettings {
        wait_replicas: 1,
        ..settings(&servers.url())
    };
    // After the failover there is no replica to wait for, so another store waits for none.
    let plain = RedisSettings {
        wait_replicas: 0,
        ..careful.clone()
    };
    let (careful, store) = (open(&careful).await, open(&plain).await);
    let before = user("before");
    assert_eq!(admitted(&[Arc::clone(&careful)], &before, 50).await, 3);
    let cursor = first_of_fifty(&*store).await;
    let (load, other) = (Load::begin(&careful, 8), Load::begin(&store, 2));
    eventually("work is done", 10, async || load.has_done(200)).await;
    servers.servers[0].kill();
    let away = Stopwatch::start();
    let refused = start(&*store, &user("meanwhile"), "s").await;
    assert!(
        away.elapsed() < Duration::from_secs(3),
        "nobody waits for long"
    );
    assert!(refused.is_err(), "{refused:?}");
    let healed = heals(&*store).await;
    let (told, also_told) = (load.end().await, other.end().await);
    let (forgotten, also) = (lost(&store, &told).await, lost(&store, &also_told).await);
    println!(
        "Sentinel: healed {healed} ms after kill -9; forgotten of {} starts that waited for the \
         replica: {forgotten}, of {} that did not: {also}",
        told.len(),
        also_told.len()
    );
    assert_eq!(forgotten, 0, "they were on two servers");
    assert!(!start(&*store, &before, "one more").await.unwrap());
    reads_all_fifty(&*store, cursor).await;
}

/// Fifty users, of whom a scan has read some.
async fn first_of_fifty(store: &dyn Store) -> Option<Cursor> {
    for i in 0..50 {
        start(store, &user(&format!("scanned{i}")), "s")
            .await
            .unwrap();
    }
    let page = store
        .scan(&TenantId::default_tenant(), None, 5)
        .await
        .unwrap();
    assert!(page.next.is_some(), "there is more");
    page.next
}

/// Another server now: the scan begins anew on it, rather than miss a record.
async fn reads_all_fifty(store: &dyn Store, cursor: Option<Cursor>) {
    let mut seen = BTreeSet::new();
    let mut cursor = cursor;
    while let Some(from) = cursor {
        let tenant = TenantId::default_tenant();
        let page = store.scan(&tenant, Some(&from), 1_000).await.unwrap();
        let users = page.records.iter().map(|(key, _)| key.user().to_owned());
        seen.extend(users.filter(|user| user.starts_with("scanned")));
        cursor = page.next;
    }
    assert_eq!(seen.len(), 50);
}

/// A frozen primary is demoted when it wakes, and the store does not listen to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_wakes_again_is_left_behind() {
    let servers = Sentinel::start(1);
    let settings = settings(&servers.url());
    let store = open(&settings).await;
    assert_eq!(
        admitted(&[Arc::clone(&store)], &user("before"), 50).await,
        3
    );
    servers.servers[0].freeze();
    let healed = heals(&*store).await;
    println!("Sentinel: healed {healed} ms after SIGSTOP");
    assert_eq!(admitted(&[Arc::clone(&store)], &user("after"), 50).await, 3);
    servers.servers[0].thaw();
    // Awake, it believes for a while that it is the primary; no caller of the store hears that.
    eventually("the old primary answers", 10, async || {
        servers.servers[0].try_ask::<String>(&["PING"]).ok()
    })
    .await;
    let late = open(&settings).await;
    for i in 0..50 {
        for store in [&store, &late] {
            let again = start(&**store, &user("after"), &format!("late{i}")).await;
            assert!(!again.unwrap());
        }
    }
    assert!(!start(&*store, &user("before"), "one more").await.unwrap());
}

/// Waits until a start succeeds; how long that was, in milliseconds.
async fn heals(store: &dyn Store) -> u128 {
    let away = Stopwatch::start();
    eventually("the store heals", HEALED_WITHIN_S, async || {
        start(store, &user("healed"), "s").await.ok()?;
        Some(away.elapsed().as_millis())
    })
    .await
}
