//! Servers that may evict keys: refused at the start and while running, on every primary.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streamgate_store::versioned::{NotUsable, Optimistic, RemoteStore};
use streamgate_store::{Store, StoreError};
use streamgate_store_redis::{RedisSettings, RedisStore, ServerObserver};
use streamgate_testkit::{Cluster, Flavour, Redis, Sentinel};

use crate::support::{eventually, open, settings, start, user};

/// Room enough, so that nothing is evicted in these tests unless that is what they are about.
const ROOMY: &str = "256mb";

fn set(server: &Redis, name: &str, value: &str) {
    let _: String = server.ask(&["CONFIG", "SET", name, value]);
}

fn evict(server: &Redis) {
    set(server, "maxmemory", ROOMY);
    set(server, "maxmemory-policy", "allkeys-lru");
}

fn allowing(settings: &RedisSettings) -> RedisSettings {
    RedisSettings {
        allow_eviction: true,
        ..settings.clone()
    }
}

/// Waits until calls are refused because of what the probe has found.
async fn is_refused(store: &dyn Store) {
    eventually("calls are refused", 20, async || {
        match start(store, &user("u"), "refused").await {
            Err(StoreError::Refused(refusal)) if refusal.told.contains("drop sessions") => Some(()),
            _ => None,
        }
    })
    .await;
    let unready = store.check_ready().await;
    assert!(
        matches!(unready, Err(StoreError::Refused(_))),
        "{unready:?}"
    );
}

async fn is_served(store: &dyn Store) {
    eventually("calls are served", 20, async || {
        start(store, &user("u"), "served").await.ok()
    })
    .await;
    store.check_ready().await.unwrap();
}

fn refused_for(opened: Result<RedisStore, NotUsable>, part: &str) {
    match opened {
        Err(NotUsable::Misconfigured(why)) => assert!(why.contains(part), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_evict_keys_is_no_store_unless_that_is_meant() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let server = Redis::start(flavour, &["--maxmemory-policy", "volatile-lru"]);
        let settings = settings(&server.url());
        // Without a limit of memory nothing is evicted, whatever the policy.
        open(&settings).await;
        set(&server, "maxmemory", ROOMY);
        let opened = RedisStore::open(&settings).await;
        refused_for(opened, "its maxmemory-policy is volatile-lru");
        let store = open(&allowing(&settings)).await;
        assert!(start(&*store, &user("u"), "s").await.unwrap());
        store.check_ready().await.unwrap();
        set(&server, "maxmemory-policy", "noeviction");
        open(&settings).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_changed_while_running_is_noticed_and_so_is_its_end() {
    let server = Redis::start(Flavour::Redis, &["--maxmemory", ROOMY]);
    let store = open(&settings(&server.url())).await;
    is_served(&*store).await;
    for policy in ["allkeys-lru", "volatile-ttl"] {
        set(&server, "maxmemory-policy", policy);
        is_refused(&*store).await;
        set(&server, "maxmemory-policy", "noeviction");
        is_served(&*store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_primary_of_a_cluster_is_looked_at_and_a_replica_once_it_is_one() {
    let mut cluster = Cluster::start(Flavour::Redis);
    let settings = settings(&cluster.url());
    evict(&cluster.servers[2]);
    refused_for(
        RedisStore::open(&settings).await,
        &cluster.servers[2].address(),
    );
    set(&cluster.servers[2], "maxmemory-policy", "noeviction");
    // The replica of the first primary.
    evict(&cluster.servers[3]);
    let store = open(&settings).await;
    is_served(&*store).await;
    cluster.servers[0].kill();
    is_refused(&*store).await;
    set(&cluster.servers[3], "maxmemory-policy", "noeviction");
    is_served(&*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_sentinels_name_after_a_failover_is_looked_at() {
    let sentinel = Sentinel::start(1);
    evict(&sentinel.servers[1]);
    let store = open(&settings(&sentinel.url())).await;
    is_served(&*store).await;
    let _: String = sentinel.sentinels[0].ask(&["SENTINEL", "FAILOVER", "main"]);
    is_refused(&*store).await;
    set(&sentinel.servers[1], "maxmemory-policy", "noeviction");
    is_served(&*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_let_us_ask_for_its_policy_is_taken_to_evict() {
    let server = Redis::start(Flavour::Redis, &["--maxmemory", ROOMY]);
    let rights = ["ACL", "SETUSER", "sg", "on", ">pw", "~*", "+@all", "-info"];
    let _: String = server.ask(&rights);
    let settings = settings(&format!("redis://sg:pw@{}", server.address()));
    refused_for(RedisStore::open(&settings).await, "not known whether");
    let store = open(&allowing(&settings)).await;
    is_served(&*store).await;
}

/// A store that starts before its server serves no call until the first probe has passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_after_the_store_is_probed_before_any_call_is_served() {
    let evicting = ["--maxmemory", ROOMY, "--maxmemory-policy", "allkeys-lru"];
    let mut server = Redis::start(Flavour::Redis, &evicting);
    let settings = settings(&server.url());
    server.kill();
    let store = RedisStore::start(&settings).unwrap();
    let away = store.prove().await;
    assert!(matches!(away, Err(NotUsable::Unavailable(_))), "{away:?}");
    let store = Optimistic::new(store);
    server.restart();
    eventually("the probe refuses the server", 20, async || {
        match start(&store, &user("u"), "s").await {
            Err(StoreError::Refused(refusal)) if refusal.told.contains("drop sessions") => Some(()),
            Err(_) => None,
            Ok(_) => panic!("a call was served before the server was probed"),
        }
    })
    .await;
    set(&server, "maxmemory-policy", "noeviction");
    is_served(&store).await;
}

#[derive(Debug, Default)]
struct Evicted(AtomicU64);

impl ServerObserver for Evicted {
    fn evicted(&self, keys: u64) {
        self.0.fetch_add(keys, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evicted_keys_are_counted() {
    let server = Redis::start(Flavour::Redis, &["--maxmemory-policy", "allkeys-lru"]);
    let settings = allowing(&settings(&server.url()));
    let evicted = Arc::new(Evicted::default());
    let observer = Arc::clone(&evicted) as Arc<dyn ServerObserver>;
    let store = RedisStore::start_observed(&settings, &observer).unwrap();
    store.prove().await.unwrap();
    let store = Optimistic::new(store);
    for i in 0..100 {
        assert!(start(&store, &user(&format!("u{i}")), "s").await.unwrap());
    }
    // The probe has heard of the server, and now nearly nothing has room.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    set(&server, "maxmemory", "1mb");
    eventually("evictions are counted", 20, async || {
        (evicted.0.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
}
