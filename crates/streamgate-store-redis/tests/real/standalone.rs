//! One server of each kind: the suite, nodes that share it, keys that go, scripts that are forgotten.

use std::sync::Arc;

use crate::support::{Flavour, Server, admitted, open, open_fresh, settings, start, user};
use streamgate_core::admission::{Edit, SetUser};
use streamgate_store::Store;
use streamgate_store::conformance::run;

async fn passes_the_suite(flavour: Flavour) {
    let server = Server::start(flavour, &[]).await;
    let url = format!("redis://{}", server.address());
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
    let server = Server::start(Flavour::Redis, &[]).await;
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
    let server = Server::start(Flavour::Redis, &[]).await;
    let settings = settings(&format!("redis://{}", server.address()));
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
    let server = Server::start(Flavour::Redis, &[]).await;
    let store = open_fresh(&format!("redis://{}", server.address())).await;
    for round in 0..20 {
        let _: String = server.ask(&["SCRIPT", "FLUSH"]);
        let key = user(&format!("u{round}"));
        assert_eq!(admitted(&[Arc::clone(&store)], &key, 20).await, 3);
    }
}
