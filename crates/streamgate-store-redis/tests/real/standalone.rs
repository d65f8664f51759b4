//! One server of each kind: the conformance suite, nodes that share it, expiring keys, flushed
//! scripts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{admitted, open, open_fresh, settings, start, user};
use streamgate_core::admission::{Edit, SetUser};
use streamgate_core::{TenantId, Timestamp};
use streamgate_store::Store;
use streamgate_store::conformance::{a_newer_format_is_refused, run};
use streamgate_store::versioned::{
    Committed, Optimistic, Speculation, Version, VersionedStore as _, Write,
};
use streamgate_store_redis::RedisStore;
use streamgate_testkit::{Flavour, Redis};

async fn passes_the_suite(flavour: Flavour) {
    let server = Redis::start(flavour, &[]);
    let url = server.url();
    let open = async || open_fresh(&url).await;
    streamgate_store::conformance_suite!(in_sequence open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_passes_the_suite() {
    passes_the_suite(Flavour::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey_passes_the_suite() {
    passes_the_suite(Flavour::Valkey).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_a_server_admit_exactly_the_limit() {
    let server = Redis::start(Flavour::Redis, &[]);
    let settings = settings(&format!("redis://{}/3", server.address()));
    let mut nodes: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..4 {
        nodes.push(open(&settings).await);
    }
    for round in 0..50 {
        let key = user(&format!("u{round}"));
        assert_eq!(admitted(&nodes, &key, 200).await, 3, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_go_by_themselves_unless_they_hold_a_limit() {
    let server = Redis::start(Flavour::Redis, &[]);
    let settings = settings(&server.url());
    let store = open(&settings).await;
    let name = |user: &str| format!("{}:{{default\0{user}}}", settings.key_prefix);
    let ttl_ms = |user: &str| -> i64 { server.ask(&["PTTL", &name(user)]) };
    assert!(start(&*store, &user("passing"), "s").await.unwrap());
    let lives_ms = ttl_ms("passing");
    assert!((90_000..86_400_000).contains(&lives_ms), "{lives_ms}");
    let limit = SetUser {
        limit: Edit::Set(5),
        ..SetUser::default()
    };
    run(&*store, &user("passing"), &limit).await.unwrap();
    assert_eq!(ttl_ms("passing"), -1, "what holds a limit stays");
    let none = SetUser {
        limit: Edit::Clear,
        ..SetUser::default()
    };
    run(&*store, &user("passing"), &none).await.unwrap();
    assert!(ttl_ms("passing") > 0, "and goes again without it");
    assert_eq!(ttl_ms("nobody"), -2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_a_server_forgets_are_sent_again() {
    let server = Redis::start(Flavour::Redis, &[]);
    let store = open_fresh(&server.url()).await;
    for round in 0..20 {
        let _: String = server.ask(&["SCRIPT", "FLUSH"]);
        let key = user(&format!("u{round}"));
        assert_eq!(admitted(&[Arc::clone(&store)], &key, 20).await, 3);
    }
}

/// The rest of a batch is read with the count that the batch was read with, whatever the next page
/// asks for. The server finds the same batch as long as no key comes or goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_different_sizes_read_each_record_once() {
    let server = Redis::start(Flavour::Redis, &[]);
    let store = open_fresh(&server.url()).await;
    for i in 0..400 {
        assert!(start(&*store, &user(&format!("u{i}")), "s").await.unwrap());
    }
    let tenant = TenantId::default_tenant();
    for sizes in [[7, 60], [3, 1_000], [1, 25]] {
        let (mut seen, mut cursor) = (BTreeSet::new(), None);
        for size in sizes.into_iter().cycle() {
            let page = store.scan(&tenant, cursor.as_ref(), size).await.unwrap();
            for (key, _) in page.records {
                assert!(seen.insert(key.clone()), "{sizes:?}: {key:?} came twice");
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 400, "{sizes:?}");
    }
}

/// The time of a step is the server's, also where the node estimated it: what was decided by a time
/// that the server has not reached, or has long passed, changes nothing and brings the true one.
#[tokio::test]
async fn a_commit_that_was_decided_at_another_time_is_a_conflict() {
    let server = Redis::start(Flavour::Redis, &[]);
    let store = RedisStore::open(&settings(&server.url())).await.unwrap();
    let key = user("u");
    let now = store.load(&key).await.unwrap().now.time;
    let shifted = |ms: i64| Timestamp::from_millis(now.as_millis().saturating_add_signed(ms));
    let write = |decided_at: Timestamp| Write {
        record: Some(b"r".to_vec()),
        version: Version::fresh(),
        garbage_at: None,
        decided_at: Some(decided_at),
        needs_room: true,
        notice: Vec::new(),
    };
    for wrong in [60_000, -2_000, -60_000] {
        let write = write(shifted(wrong));
        let committed = store.commit(&key, Version::NONE, &write);
        let Committed::Conflict(current) = committed.await.unwrap() else {
            panic!("{wrong} ms are far away");
        };
        assert_eq!((current.record, current.version), (None, Version::NONE));
        assert!(current.now.time >= now);
    }
    let Speculation::Always(estimate) = store.speculation(&key) else {
        panic!("the time was heard");
    };
    let written = write(estimate.time);
    let committed = store.commit(&key, Version::NONE, &written).await;
    assert_eq!(committed.unwrap(), Committed::Done);
    let loaded = store.load(&key).await.unwrap();
    assert_eq!(loaded.version, written.version);
    assert!(
        loaded.now.time >= estimate.time,
        "a node is never ahead of its server"
    );
}

/// A commit is sent again where its answer was lost; the first one may come after all, or may have
/// come.
#[tokio::test]
async fn a_commit_that_comes_again_is_done_once() {
    let server = Redis::start(Flavour::Redis, &[]);
    let store = RedisStore::open(&settings(&server.url())).await.unwrap();
    let key = user("u");
    let now = store.load(&key).await.unwrap().now.time;
    let write = |decided_at| Write {
        record: Some(b"r".to_vec()),
        version: Version::fresh(),
        garbage_at: Some(Timestamp::from_millis(now.as_millis() + 60_000)),
        decided_at,
        needs_room: true,
        notice: Vec::new(),
    };
    // Also by a time that is long past: it was done in time.
    let (first, next) = (write(Some(now)), write(None));
    for _ in 0..2 {
        let committed = store.commit(&key, Version::NONE, &first).await;
        assert_eq!(committed.unwrap(), Committed::Done);
        let loaded = store.load(&key).await.unwrap();
        assert_eq!(loaded.record.as_deref(), Some(&b"r"[..]));
        assert_eq!(loaded.version, first.version);
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    let committed = store.commit(&key, first.version, &next).await;
    assert_eq!(committed.unwrap(), Committed::Done);
    let committed = store.commit(&key, Version::NONE, &first).await;
    let Committed::Conflict(current) = committed.unwrap() else {
        panic!("another wrote");
    };
    assert_eq!(current.version, next.version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_marked_for_a_newer_format_are_refused() {
    let server = Redis::start(Flavour::Redis, &[]);
    let settings = settings(&server.url());
    let mark = format!("{}:format", settings.key_prefix);
    let newer = u32::from(streamgate_core::codec::NEWEST) + 1;
    let _: String = server.ask(&["SET", &mark, &newer.to_string()]);
    let store = RedisStore::open(&settings).await.unwrap();
    assert_eq!(store.format_mark().await, Ok(Some(newer)));
    let started = Optimistic::start(store, streamgate_core::codec::OLDEST).await;
    a_newer_format_is_refused(started.map(|it| it.store as Arc<dyn Store>)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_format_mark_is_raised_and_never_lowered() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let server = Redis::start(flavour, &[]);
        let store = RedisStore::open(&settings(&server.url())).await.unwrap();
        for (raise_to, mark) in [(2, 2), (10, 10), (2, 10), (10, 10)] {
            assert_eq!(store.raise_format_mark(raise_to).await, Ok(mark));
            assert_eq!(store.format_mark().await, Ok(Some(mark)), "{flavour:?}");
        }
        // A full memory is no reason to refuse it.
        let () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        assert_eq!(store.raise_format_mark(11).await, Ok(11), "{flavour:?}");
        assert_eq!(store.format_mark().await, Ok(Some(11)), "{flavour:?}");
    }
}
