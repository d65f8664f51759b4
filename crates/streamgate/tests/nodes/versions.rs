//! A node of this release beside one of the next, over one Redis. A client plays the next release:
//! it writes values of version 1 by the codec of this one, and records and the format mark of the
//! version after the newest.

use streamgate_core::codec::{NEWEST, OLDEST, decode_ledger, encode_ledger};
use streamgate_core::{Session, SessionId};
use streamgate_testkit::{Answer, Redis, Server, eventually, serve_arguments, streamgate};
use tempfile::TempDir;

use crate::nodes::{Nodes, redis};

const MARK: &str = "sg:format";

/// Calls about the user `new`.
const CALLS: [(&str, &str); 5] = [
    ("PUT", "/v1/users/new/sessions/s"),
    ("POST", "/v1/users/new/sessions/s/heartbeat"),
    ("DELETE", "/v1/users/new/sessions/s"),
    ("GET", "/v1/users/new/sessions"),
    ("DELETE", "/v1/users/new"),
];

fn key(user: &str) -> Vec<u8> {
    format!("sg:{{default\0{user}}}").into_bytes()
}

fn get(server: &Redis, user: &str) -> Vec<u8> {
    server.ask(&[b"GET".to_vec(), key(user)])
}

fn set(server: &Redis, user: &str, value: &[u8]) {
    let () = server.ask(&[b"SET".to_vec(), key(user), value.to_vec()]);
}

/// What the next release writes when it starts a session beside those of a record: behind the
/// version of the store, a ledger of the oldest format.
fn with_another_session(record: &[u8]) -> Vec<u8> {
    let (version, record) = record.split_at(8);
    let mut ledger = decode_ledger(record).unwrap();
    ledger.live.push(Session {
        id: SessionId::new("of-the-next").unwrap(),
        ..ledger.live[0].clone()
    });
    [version, &encode_ledger(&ledger).unwrap()].concat()
}

/// A 503 that says why, and is no damage.
#[track_caller]
fn assert_newer(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["code"], "store_unavailable", "{answer:?}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("a newer version of this server"),
        "{detail}"
    );
    assert!(!answer.header("retry-after").is_empty());
}

#[test]
fn a_node_shares_records_with_the_next_release_and_refuses_newer_ones() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 1, &[]);
    let node = &nodes.servers[0];
    let start = |user: &str| node.call("PUT", &format!("/v1/users/{user}/sessions/s"), None);
    assert_eq!(start("old").status, 201);

    // What needs no newer version has none, so the next release and this one read each other, and
    // write one after the other.
    let record = get(&redis, "old");
    assert_eq!(record[8], OLDEST);
    set(&redis, "shared", &with_another_session(&record));
    let listed = node.call("GET", "/v1/users/shared/sessions", None).json();
    assert_eq!(listed["active"], 2, "{listed}");
    let stop = "/v1/users/shared/sessions/of-the-next";
    assert_eq!(node.call("DELETE", stop, None).status, 204);
    let written = get(&redis, "shared");
    assert_eq!(written[8], OLDEST);
    let ledger = decode_ledger(&written[8..]).unwrap();
    assert_eq!((ledger.live.len(), ledger.ended.len()), (1, 1));

    // A newer record, behind a mark that this node has not read yet: its user is refused, and it
    // stays as it is.
    let mut newer = record;
    newer[8] = NEWEST + 1;
    let () = redis.ask(&["SET", MARK, &(NEWEST + 1).to_string()]);
    set(&redis, "new", &newer);
    for (method, path) in CALLS {
        assert_newer(&node.call(method, path, None));
    }
    assert_newer(&node.call("GET", "/readyz", None));
    assert_eq!(get(&redis, "new"), newer, "nothing wrote over it");
}

/// Nodes raise the mark before they write such a record, so it was not written by one.
#[test]
fn a_record_above_the_mark_is_damage_of_its_user_and_leaves_the_node_ready() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 1, &[]);
    let node = &nodes.servers[0];
    let start = |user: &str| node.call("PUT", &format!("/v1/users/{user}/sessions/s"), None);
    assert_eq!(start("old").status, 201);
    let whole = get(&redis, "old");
    for version in [NEWEST + 1, 31] {
        let mut flipped = whole.clone();
        flipped[8] = version;
        set(&redis, "new", &flipped);
        for (method, path) in CALLS {
            let answer = node.call(method, path, None);
            assert_eq!(answer.status, 500, "{method} {path}: {answer:?}");
        }
        assert_eq!(node.call("GET", "/readyz", None).status, 200);
        assert_eq!(get(&redis, "new"), flipped, "nothing wrote over it");
    }
    assert_eq!(start("other").status, 201);
}

#[test]
fn a_store_marked_for_a_newer_format_is_refused_at_the_start_and_while_serving() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 1, &[]);
    let node = &nodes.servers[0];
    let start = || node.call("PUT", "/v1/users/u/sessions/s", None);
    assert_eq!(start().status, 201);
    let before = get(&redis, "u");
    let () = redis.ask(&["SET", MARK, &(NEWEST + 1).to_string()]);
    // No probe asks: the node looks by itself.
    eventually("calls are refused", || start().status == 503);
    assert_newer(&start());
    assert_newer(&node.call("GET", "/readyz", None));
    let before_now = get(&redis, "u");
    assert_eq!(before_now.len(), before.len());

    let dir = TempDir::new().unwrap();
    let url = format!("store.url=redis://127.0.0.1:{}", redis.port);
    let arguments = [&serve_arguments(dir.path())[..], &["--set", &url]].concat();
    let refused = Server::spawn_logging(streamgate(&arguments)).wait();
    assert_eq!(refused.status.code(), Some(74), "{}", refused.stderr);
    let words = format!("(format {}), this one reads up to {NEWEST}", NEWEST + 1);
    assert!(refused.stderr.contains(&words), "{}", refused.stderr);

    // The mark of this very version, as after the upgrade of all nodes.
    let () = redis.ask(&["SET", MARK, &NEWEST.to_string()]);
    eventually("calls are served again", || start().status == 200);
}

/// The second step of an upgrade: once all nodes read format 2, one is told to raise the mark.
#[test]
fn what_needs_a_newer_format_is_refused_until_a_node_raises_the_mark() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 1, &[]);
    let old = &nodes.servers[0];
    let body = serde_json::json!({"device_id": "tv", "region": "eu-west"});
    let start = |node: &Server, user: &str| {
        node.call("PUT", &format!("/v1/users/{user}/sessions/s"), Some(&body))
    };
    let refused = start(old, "a");
    assert_eq!(refused.status, 400, "{refused:?}");
    let problem = refused.json();
    assert_eq!(problem["errors"][0]["field"], "region", "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("store.format = 2"), "{detail}");
    assert_eq!(old.call("PUT", "/v1/users/a/sessions/s", None).status, 201);
    assert_eq!(get(&redis, "a")[8], OLDEST);

    let raising = Nodes::over(&redis, 1, &["--set", "store.format=2"]);
    let answer = start(&raising.servers[0], "b");
    assert_eq!(answer.json()["session"]["region"], "eu-west", "{answer:?}");
    assert_eq!(get(&redis, "b")[8], 2);
    eventually("the other node takes it, too", || {
        start(old, "c").status == 201
    });
    let heard = old.call("POST", "/v1/users/b/sessions/s/heartbeat", None);
    assert_eq!(heard.status, 200, "{heard:?}");
    let mark: String = redis.ask(&["GET", MARK]);
    assert_eq!(mark, "2");
}
