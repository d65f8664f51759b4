//! A server that is killed, frozen or read-only: calls end in time, and service resumes by itself.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{eventually, open, settings, start, user};
use streamgate_clock::Stopwatch;
use streamgate_store::versioned::{NotUsable, Optimistic, RemoteStore, VersionedStore as _};
use streamgate_store::{Store, StoreError, View};
use streamgate_store_redis::{RedisSettings, RedisStore};
use streamgate_testkit::{Flavour, Redis, Sentinel, free_port};

fn quick(server: &Redis) -> RedisSettings {
    RedisSettings {
        connect_timeout: Duration::from_millis(300),
        response_timeout: Duration::from_millis(500),
        ..settings(&server.url())
    }
}

/// Commits that one replica must have. It has the time to answer on a busy machine.
fn with_one_replica(server: &Redis) -> RedisSettings {
    RedisSettings {
        response_timeout: Duration::from_secs(2),
        wait_replicas: 1,
        wait_timeout: Duration::from_millis(500),
        ..settings(&server.url())
    }
}

async fn resumes(store: &dyn Store) -> Duration {
    let waited = Stopwatch::start();
    eventually("service resumes", 10, async || {
        start(store, &user("after"), "s").await.ok()?;
        Some(waited.elapsed())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_is_refused_at_once_and_found_again() {
    let mut server = Redis::start(Flavour::Redis, &[]);
    let store = open(&quick(&server)).await;
    assert!(start(&*store, &user("u"), "s").await.unwrap());
    server.kill();
    eventually("calls are refused", 5, async || {
        start(&*store, &user("u"), "s").await.err()
    })
    .await;
    let waited = Stopwatch::start();
    for _ in 0..1_000 {
        let refused = start(&*store, &user("u"), "s").await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    }
    assert!(
        waited.elapsed() < Duration::from_secs(5),
        "refusals take no time"
    );
    store.check_ready().await.unwrap_err();
    server.restart();
    println!(
        "found again after {} ms",
        resumes(&*store).await.as_millis()
    );
    store.check_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_may_begin_before_its_servers_and_serves_when_they_do() {
    let primary = Redis::start(Flavour::Redis, &[]);
    let standalone = Redis::start(Flavour::Redis, &[]);
    let cluster = Redis::start(Flavour::Redis, &["--cluster-enabled", "yes"]);
    let _: String = cluster.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let sentinel = Sentinel::watching(primary.port, &[]);
    for (mut away, before, behind) in [
        (standalone, "redis://", ""),
        (cluster, "redis+cluster://", ""),
        (sentinel, "redis+sentinel://", "/main"),
    ] {
        away.kill();
        let url = format!("{before}{}{behind}", away.address());
        let store = RedisStore::start(&settings(&url)).unwrap();
        let waited = Stopwatch::start();
        for _ in 0..1_000 {
            let error = store.prove().await.unwrap_err();
            assert!(
                matches!(&error, NotUsable::Unavailable(why) if why.contains("refused")),
                "{error}"
            );
        }
        assert!(
            waited.elapsed() < Duration::from_secs(5),
            "after the first attempt nobody waits"
        );
        away.restart();
        let store = Optimistic::new(store);
        println!(
            "{before}: served {} ms after the server came",
            resumes(&store).await.as_millis()
        );
        store.check_ready().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_to_a_frozen_server_end_at_the_response_timeout() {
    let server = Redis::start(Flavour::Redis, &[]);
    let store = RedisStore::open(&quick(&server)).await.unwrap();
    let store = Arc::new(Optimistic::new(store));
    assert!(start(&*store, &user("u"), "s").await.unwrap());
    server.freeze();
    let before_kb = resident_kb();
    let frozen = Stopwatch::start();
    let mut calls = 0_u32;
    while frozen.elapsed() < Duration::from_secs(3) {
        let round: Vec<_> = (0..200)
            .map(|i| {
                let store = Arc::clone(&store);
                let key = user(&format!("u{i}"));
                // Not through the adapter: there, calls about one user wait for each other.
                tokio::spawn(async move { store.remote().load(&key).await.map(|_| ()) })
            })
            .collect();
        let waited = Stopwatch::start();
        for call in round {
            call.await.unwrap().unwrap_err();
            calls += 1;
        }
        let waited = waited.elapsed();
        assert!(waited < Duration::from_millis(1_000), "{waited:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let grown_kb = resident_kb().saturating_sub(before_kb);
    println!("{calls} calls while frozen: {grown_kb} kB more");
    assert!(calls > 1_000, "after the first they are refused at once");
    assert!(grown_kb < 65_536, "{grown_kb} kB");
    server.thaw();
    println!("resumed after {} ms", resumes(&*store).await.as_millis());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_closes_costs_no_answer() {
    let server = Redis::start(Flavour::Redis, &[]);
    // Time to notice and to connect again on a busy machine.
    let patient = RedisSettings {
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(5),
        ..settings(&server.url())
    };
    let store = open(&patient).await;
    for i in 0..20 {
        let _: u32 = server.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        assert!(start(&*store, &user(&format!("u{i}")), "s").await.unwrap());
    }
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_be_written_is_not_ready_and_answers_nothing_old() {
    let server = Redis::start(Flavour::Redis, &[]);
    let store = open(&quick(&server)).await;
    assert!(start(&*store, &user("u"), "s").await.unwrap());
    let nobody = free_port().to_string();
    let _: String = server.ask(&["REPLICAOF", "127.0.0.1", &nobody]);
    store.check_ready().await.unwrap_err();
    let refused = start(&*store, &user("u"), "s").await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    let open = RedisStore::open(&quick(&server)).await.unwrap_err();
    assert!(
        open.to_string().contains("READONLY") || open.to_string().contains("ReadOnly"),
        "{open}"
    );
    let _: String = server.ask(&["REPLICAOF", "NO", "ONE"]);
    resumes(&*store).await;
    store.check_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_too_few_replicas_have_is_of_unknown_outcome() {
    let server = Redis::start(Flavour::Redis, &["--repl-diskless-sync-delay", "0"]);
    let settings = with_one_replica(&server);
    let error = RedisStore::open(&settings).await.unwrap_err();
    let told = "0 of 1 replicas have the write";
    assert!(
        matches!(&error, NotUsable::Unavailable(why) if why.contains(told)),
        "{error}"
    );
    let port = server.port.to_string();
    let replica = Redis::start(Flavour::Redis, &["--replicaof", "127.0.0.1", &port]);
    let store = eventually("the replica is there", 20, async || {
        RedisStore::open(&settings).await.ok()
    })
    .await;
    let store = Optimistic::new(store);
    assert!(start(&store, &user("u"), "s").await.unwrap());
    replica.freeze();
    let unknown = start(&store, &user("u"), "t").await.unwrap_err();
    assert!(
        matches!(unknown, StoreError::OutcomeUnknown(_)),
        "{unknown}"
    );
}

/// A repeated stop, a refused start, a list: whatever changes nothing rests on what it saw.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_on_too_few_replicas_is_never_read() {
    let server = Redis::start(Flavour::Redis, &["--repl-diskless-sync-delay", "0"]);
    let port = server.port.to_string();
    let replica = Redis::start(Flavour::Redis, &["--replicaof", "127.0.0.1", &port]);
    let settings = with_one_replica(&server);
    let open = async || {
        eventually("the replica is there", 20, async || {
            RedisStore::open(&settings).await.ok()
        })
        .await
    };
    let nodes = [Optimistic::new(open().await), Optimistic::new(open().await)];
    let (changed, as_it_was) = (user("changed"), user("as it was"));
    for key in [&changed, &as_it_was] {
        assert!(start(&nodes[0], key, "s").await.unwrap());
    }
    replica.freeze();
    let unknown = start(&nodes[0], &changed, "t").await.unwrap_err();
    assert!(
        matches!(unknown, StoreError::OutcomeUnknown(_)),
        "{unknown}"
    );
    for node in &nodes {
        for key in [&changed, &user("never seen")] {
            let refused = node
                .transact(key, &mut |_: View<'_>| None)
                .await
                .unwrap_err();
            assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
        }
    }
    // Of this one it is known that the replica has it.
    nodes[0]
        .transact(&as_it_was, &mut |_: View<'_>| None)
        .await
        .unwrap();
    replica.thaw();
    for node in &nodes {
        for key in [&changed, &as_it_was, &user("never seen")] {
            eventually("the replica has it", 10, async || {
                node.transact(key, &mut |_: View<'_>| None).await.ok()
            })
            .await;
        }
    }
    let names: Vec<String> = server.ask(&["KEYS", "*never seen*"]);
    assert!(names.is_empty(), "looking leaves nothing behind");
}
