//! Servers that answer that they take no writes, and keys that hold something else: told as they
//! are. Where only the memory is full, stops, heartbeats and lists go on.

use std::time::Duration;

use streamgate_core::admission::{
    EraseUser, Heartbeat, HeartbeatOutcome, Settle, Start, StartOutcome, Stop, StopOutcome,
};
use streamgate_core::{Command, EndReason, SessionId, TenantId, UserKey};
use streamgate_store::conformance::{read_ledger, run};
use streamgate_store::{Store, StoreError};
use streamgate_store_redis::RedisSettings;
use streamgate_testkit::{Cluster, Flavour, Redis};

use crate::support::{eventually, open, settings, start, user};

fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

fn stop(session: &str) -> Stop {
    Stop {
        id: id(session),
        reason: EndReason::Stopped,
    }
}

fn set(servers: &[Redis], name: &str, value: &str) {
    for server in servers {
        let _: String = server.ask(&["CONFIG", "SET", name, value]);
    }
}

/// Runs a command of a player that must not be refused.
async fn done<C>(store: &dyn Store, key: &UserKey, command: C) -> C::Outcome
where
    C: Command + Sync,
    C::Outcome: Send,
{
    let ran = run(store, key, &command).await;
    ran.expect("it is done although the memory is full").outcome
}

fn told(refused: Result<impl Sized, StoreError>, part: &str) {
    match refused {
        Err(StoreError::Refused(refusal)) => {
            assert!(refusal.told.contains(part), "{refusal}");
            assert!(!refusal.told.contains("127.0.0.1"), "{refusal}");
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is done"),
    }
}

/// Two sessions are live, the memory fills, and all but starts go on: on a node that knows the
/// record and on one that does not.
async fn frees_slots_when_full(settings: &RedisSettings, servers: &[Redis]) {
    let known = open(settings).await;
    let key = user("ann");
    for session in ["a", "b"] {
        assert!(start(&*known, &key, session).await.unwrap());
    }
    let other = user("bob");
    assert!(start(&*known, &other, "a").await.unwrap());
    set(servers, "maxmemory", "1");
    let fresh = open(settings).await;
    for (store, session) in [(&known, "a"), (&fresh, "b")] {
        for key in [&key, &user("new")] {
            let refused = start(&**store, key, "new").await;
            assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
        }
        store.check_ready().await.unwrap();
        let renewed = done(&**store, &key, Heartbeat { id: id(session) }).await;
        assert!(
            matches!(renewed, HeartbeatOutcome::Renewed { .. }),
            "{renewed:?}"
        );
        let stopped = done(&**store, &key, stop(session)).await;
        assert_eq!(stopped, StopOutcome::Stopped);
        let again = done(&**store, &key, stop(session)).await;
        assert!(matches!(again, StopOutcome::AlreadyEnded(_)), "{again:?}");
        done(&**store, &key, Settle).await;
    }
    let ledger = read_ledger(&*fresh, &key).await.expect("it has a record");
    assert_eq!(ledger.live.len(), 0, "both slots are free");
    done(&*fresh, &other, EraseUser).await;
    // A record that was written in a full memory still goes by itself.
    let times = left_to_live(servers);
    assert!(times.iter().all(|ms| *ms > 0), "{times:?}");
    set(servers, "maxmemory", "0");
    let admitted = run(&*known, &key, &Start::new(id("new"))).await.unwrap();
    assert!(matches!(admitted.outcome, StartOutcome::Admitted(_)));
}

/// How long each record of these servers stays, in milliseconds; -1 for good.
fn left_to_live(servers: &[Redis]) -> Vec<i64> {
    let script = "local left = {} for _, key in ipairs(redis.call('KEYS', '*ann*')) do \
                  left[#left + 1] = redis.call('PTTL', key) end return left";
    servers
        .iter()
        .flat_map(|server| server.ask::<Vec<i64>>(&["EVAL", script, "0"]))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_refuses_starts_and_nothing_else() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let server = Redis::start(flavour, &[]);
        let settings = settings(&server.url());
        frees_slots_when_full(&settings, &[server]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_refuses_starts_and_nothing_else_where_replicas_are_waited_for() {
    let primary = Redis::start(Flavour::Redis, &["--repl-diskless-sync-delay", "0"]);
    let port = primary.port.to_string();
    let follows = ["--replicaof", "127.0.0.1", port.as_str()];
    let _replica = Redis::start(Flavour::Redis, &follows);
    eventually("the replica is in step", 20, async || {
        let info: String = primary.ask(&["INFO", "replication"]);
        info.contains("state=online").then_some(())
    })
    .await;
    // A machine under load must not look like a lost replica.
    let settings = RedisSettings {
        wait_replicas: 1,
        wait_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(10),
        ..settings(&primary.url())
    };
    frees_slots_when_full(&settings, &[primary]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_refuses_starts_and_nothing_else_in_a_cluster() {
    let cluster = Cluster::start(Flavour::Valkey);
    let settings = settings(&cluster.url());
    // A machine under load must not look like a failure: this is about no failover.
    set(&cluster.servers, "cluster-node-timeout", "60000");
    frees_slots_when_full(&settings, &cluster.servers[..3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_is_told_with_its_reason() {
    let server = Redis::start(Flavour::Redis, &[]);
    let store = open(&settings(&server.url())).await;
    let key = user("u");
    assert!(start(&*store, &key, "s").await.unwrap());
    let servers = [server];
    set(&servers, "min-replicas-to-write", "1");
    told(start(&*store, &key, "t").await, "replicas");
    told(store.check_ready().await, "replicas");
    set(&servers, "min-replicas-to-write", "0");
    assert!(start(&*store, &key, "t").await.unwrap());

    let [server] = servers;
    // What it would save it cannot: a directory has the name.
    std::fs::create_dir(server.directory.path().join("dump.rdb")).unwrap();
    let _: String = server.ask(&["CONFIG", "SET", "save", "3600 1"]);
    let _: String = server.ask(&["BGSAVE"]);
    eventually("it cannot save", 10, async || {
        let info: String = server.ask(&["INFO", "persistence"]);
        info.contains("rdb_last_bgsave_status:err").then_some(())
    })
    .await;
    told(start(&*store, &key, "v").await, "cannot save");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_holds_something_else_is_damage_and_no_reason_to_try_again() {
    let server = Redis::start(Flavour::Redis, &[]);
    let settings = settings(&server.url());
    let (known, fresh) = (open(&settings).await, open(&settings).await);
    let name = format!("{}:{{default\0u}}", settings.key_prefix);
    let key = user("u");
    for foreign in [
        vec!["SET", name.as_str(), "short"],
        vec!["RPUSH", name.as_str(), "x"],
    ] {
        assert!(start(&*known, &key, "s").await.unwrap());
        let removed: u32 = server.ask(&["DEL", &name]);
        assert_eq!(removed, 1, "the key is named otherwise");
        let _: redis::Value = server.ask(&foreign);
        for store in [&known, &fresh] {
            let damaged = start(&**store, &key, "t").await;
            assert!(
                matches!(damaged, Err(StoreError::Damaged(_))),
                "{damaged:?}"
            );
            let stopped = run(&**store, &key, &stop("s")).await;
            assert!(matches!(stopped, Err(StoreError::Damaged(_))));
            let page = store.scan(&TenantId::default_tenant(), None, 10).await;
            let records = page.unwrap().records;
            assert_eq!(records, [(key.clone(), Vec::new())], "a list counts it");
        }
        let _: u32 = server.ask(&["DEL", &name]);
    }
    // Others are served all the while.
    assert!(start(&*known, &user("v"), "s").await.unwrap());
    tokio::time::timeout(Duration::from_secs(1), known.check_ready())
        .await
        .unwrap()
        .unwrap();
}
