//! A Redis that may evict keys, is full, or holds damaged records: the node reports it to callers,
//! `/readyz`, metrics and its log.

use serde_json::json;
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Answer, Flavour, Redis, Server, eventually, run, serve_arguments};
use tempfile::TempDir;

use crate::nodes::{Nodes, redis};

/// A Redis that evicts, should it ever be full.
fn evicting() -> Redis {
    let evicts = ["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"];
    Redis::start(Flavour::Redis, &evicts)
}

fn set(redis: &Redis, name: &str, value: &str) {
    let _: String = redis.ask(&["CONFIG", "SET", name, value]);
}

fn start(node: &Server, user: &str, session: &str) -> Answer {
    node.call("PUT", &format!("/v1/users/{user}/sessions/{session}"), None)
}

#[test]
fn serve_refuses_a_redis_that_may_evict_keys_unless_allowed() {
    let redis = evicting();
    let url = format!("store.url=redis://127.0.0.1:{}", redis.port);
    let dir = TempDir::new().unwrap();
    let arguments = [serve_arguments(dir.path()).as_slice(), &["--set", &url]].concat();
    let ran = run(&arguments);
    assert_eq!(ran.code, Some(74), "{ran:?}");
    for part in [
        "maxmemory-policy is allkeys-lru",
        "noeviction",
        "store.redis.allow_eviction = true",
        &format!("127.0.0.1:{}", redis.port),
    ] {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
    let allowed = ["--set", &url, "--set", "store.redis.allow_eviction=true"];
    let mut node = Server::start_with(dir.path(), &allowed);
    node.wait_for_log("store.redis.allow_eviction is true");
    assert_eq!(start(&node, "ann", "tv").status, 201);
    assert_eq!(node.call("GET", "/readyz", None).status, 200);
    let ended = node.terminate();
    let warnings = ended
        .stderr
        .matches("store.redis.allow_eviction is true")
        .count();
    assert_eq!(warnings, 1, "{ended:?}");
}

#[test]
fn a_node_refuses_calls_while_redis_may_evict_keys() {
    let redis = redis();
    set(&redis, "maxmemory", "256mb");
    let mut nodes = Nodes::over(&redis, 1, &[]);
    let node = &mut nodes.servers[0];
    assert_eq!(start(node, "ann", "tv").status, 201);
    set(&redis, "maxmemory-policy", "volatile-lru");
    eventually("the node is not ready", || {
        node.call("GET", "/readyz", None).status == 503
    });
    for (method, path) in [
        ("PUT", "/v1/users/ann/sessions/phone"),
        ("POST", "/v1/users/ann/sessions/tv/heartbeat"),
        ("GET", "/v1/users/ann/sessions"),
        ("GET", "/readyz"),
    ] {
        let refused = node.call(method, path, None);
        let problem = refused.json();
        assert_eq!(problem["code"], "store_unavailable", "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("may drop sessions"), "{detail}");
        assert!(!detail.contains("127.0.0.1"), "{detail}");
    }
    let said = node.wait_for_log("must not be used as it is set up");
    assert!(said.contains("volatile-lru"), "{said}");
    set(&redis, "maxmemory-policy", "noeviction");
    eventually("the node serves", || {
        start(node, "ann", "phone").status == 201
    });
    node.wait_for_log("set up right again");
    assert_eq!(node.call("GET", "/readyz", None).status, 200);
    let ended = nodes.servers.remove(0).terminate();
    for once in ["must not be used as it is set up", "set up right again"] {
        assert_eq!(ended.stderr.matches(once).count(), 1, "{ended:?}");
    }
}

#[test]
fn a_full_redis_refuses_starts_while_stops_and_heartbeats_go_on() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 2, &[]);
    for session in ["tv", "phone"] {
        assert_eq!(start(&nodes.servers[0], "ann", session).status, 201);
    }
    set(&redis, "maxmemory", "1");
    for (node, session) in nodes.servers.iter().zip(["tv", "phone"]) {
        let waited = Stopwatch::start();
        let refused = start(node, "ann", "new");
        assert_eq!(refused.status, 503, "{refused:?}");
        let problem = refused.json();
        assert_eq!(problem["code"], "store_full");
        let told = "the store refuses writes: it is full; send the same request again";
        assert_eq!(problem["detail"], told);
        assert!(waited.elapsed().as_secs() < 2, "it was answered at once");
        let path = format!("/v1/users/ann/sessions/{session}");
        let renewed = node.call("POST", &format!("{path}/heartbeat"), None);
        assert_eq!(renewed.status, 200, "{renewed:?}");
        assert_eq!(node.call("DELETE", &path, None).status, 204);
        assert_eq!(node.call("GET", "/readyz", None).status, 200);
    }
    let list = nodes.servers[0].call("GET", "/v1/users/ann/sessions", None);
    assert_eq!(list.json()["active"], 0, "{list:?}");
    set(&redis, "maxmemory", "0");
    assert_eq!(start(&nodes.servers[1], "ann", "new").status, 201);
}

#[test]
fn a_damaged_record_is_500_counted_and_logged_without_its_user() {
    let redis = redis();
    let mut nodes = Nodes::over(&redis, 1, &["--set", "store.redis.key_prefix=sg"]);
    let node = &mut nodes.servers[0];
    let _: String = redis.ask(&["SET", "sg:{default\0private-name}", "garbage"]);
    assert_eq!(node.metric::<u64>("streamgate_damaged_records_total"), 0);
    for _ in 0..2 {
        let failed = start(node, "private-name", "tv");
        assert_eq!(failed.status, 500, "{failed:?}");
        assert_eq!(failed.json()["code"], "internal");
        assert_eq!(failed.header("retry-after"), "", "it does not help");
    }
    let many = json!({"heartbeats": [{"user_id": "private-name", "session_id": "tv"}]});
    let batch = node.call("POST", "/v1/heartbeats", Some(&many)).json();
    assert_eq!(batch["failed"][0]["status"], 500, "{batch}");
    assert!(node.metric::<u64>("streamgate_damaged_records_total") >= 3);
    let said = node.wait_for_log("cannot be read");
    // printf %s private-name | sha256sum
    assert!(
        said.contains("ERROR") && said.contains("b0e7719de3ee922a"),
        "{said}"
    );
    assert_eq!(start(node, "other", "tv").status, 201);
    let log = nodes.servers.remove(0).terminate().stderr;
    assert!(!log.contains("private-name"), "{log}");
}
