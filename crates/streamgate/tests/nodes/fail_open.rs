//! Nodes that fail open: they admit players while the store is unavailable, and the limit holds
//! again once it is back.

use serde_json::{Value, json};
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Server, pause};

use crate::nodes::{Nodes, redis};

/// How soon a store that was frozen is noticed, and one that goes on.
const SETTINGS: [&str; 8] = [
    "--set",
    "engine.fail_mode=open",
    "--set",
    "engine.deadline_ms=1000",
    "--set",
    "store.redis.response_timeout_ms=400",
    "--set",
    "store.redis.wait_timeout_ms=300",
];

/// How long the nodes may take to bring everything to a store that is back, on a loaded machine.
const PATIENCE_S: u64 = 30;

fn start(node: &Server, session: &str) -> (u16, Value) {
    let path = format!("/v1/users/u/sessions/{session}");
    let answer = node.call("PUT", &path, None);
    (answer.status, answer.json())
}

fn beat(node: &Server, session: &str) -> (u16, Value) {
    let path = format!("/v1/users/u/sessions/{session}/heartbeat");
    let answer = node.call("POST", &path, None);
    (answer.status, answer.json())
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = Stopwatch::start();
    while !is_so() {
        assert!(waited.elapsed().as_secs() < PATIENCE_S, "{what}");
        pause();
    }
}

#[test]
fn fail_open_admits_while_redis_is_frozen_and_reconciles_afterwards() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 2, &SETTINGS);
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    assert_eq!(start(a, "before").0, 201);

    redis.freeze();
    for (node, session) in [(a, "a1"), (a, "a2"), (b, "b1"), (b, "b2")] {
        let (status, answer) = start(node, session);
        assert_eq!(
            (status, &answer["degraded"]),
            (201, &json!(true)),
            "{answer}"
        );
    }
    let (status, answer) = beat(b, "before");
    assert_eq!(
        (status, &answer["degraded"]),
        (200, &json!(true)),
        "{answer}"
    );
    let ready = b.call("GET", "/readyz", None);
    assert_eq!(
        (ready.status, &ready.json()["status"]),
        (200, &json!("degraded"))
    );
    assert_eq!(
        a.metric::<u64>(r#"streamgate_starts_total{result="degraded"}"#),
        2
    );
    let listed = a.call("GET", "/v1/users/u/sessions", None);
    assert_eq!(listed.status, 503, "lists are not made up");
    redis.thaw();

    // Without a call, the nodes bring their four sessions to the store, which has two slots.
    let reconciled = |result: &str| -> u64 {
        let name = format!("streamgate_reconciled_total{{result=\"{result}\"}}");
        nodes
            .servers
            .iter()
            .map(|node| node.metric::<u64>(&name))
            .sum()
    };
    wait_for("all four are reconciled", || {
        reconciled("kept") + reconciled("refused") == 4
    });
    let listed = b.call("GET", "/v1/users/u/sessions", None).json();
    assert_eq!(listed["active"], 3, "{listed}");
    let live = listed["sessions"].as_array().unwrap().iter();
    let ids: Vec<&str> = live
        .map(|session| session["session_id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"before"), "it was there first: {ids:?}");

    // Their players hear what became of them, from the node that had let them in.
    for (node, session) in [(a, "a1"), (a, "a2"), (b, "b1"), (b, "b2"), (a, "before")] {
        let (status, answer) = beat(node, session);
        assert_eq!(answer.get("degraded"), None);
        if ids.contains(&session) {
            assert_eq!(status, 200, "{answer}");
        } else {
            assert_eq!(
                (status, &answer["reason"]),
                (410, &json!("expired")),
                "{answer}"
            );
        }
    }
    assert_eq!(start(b, "after").0, 409, "the limit holds again");
}
