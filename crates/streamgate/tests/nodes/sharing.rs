//! Nodes that share a store: each sees what the others did, and a killed node loses nothing.

use serde_json::json;

use crate::nodes::{Nodes, backup_is_elsewhere, redis};
use crate::promises::departure;

#[test]
fn a_session_is_renewed_listed_and_stopped_on_any_node() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 2, &[]);
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    let path = "/v1/users/u/sessions/s";
    assert_eq!(a.call("PUT", path, None).status, 201);
    assert_eq!(b.call("PUT", path, None).status, 200, "it is live already");
    let renewed = b.call("POST", &format!("{path}/heartbeat"), None);
    assert_eq!(renewed.status, 200, "{renewed:?}");
    let listed = b.call("GET", "/v1/users/u/sessions", None).json();
    assert_eq!(listed["sessions"][0]["session_id"], "s");
    let all = b.call("GET", "/v1/sessions", None).json();
    assert_eq!(all["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(b.call("DELETE", path, None).status, 204);
    let late = a.call("POST", &format!("{path}/heartbeat"), None);
    assert_eq!(late.status, 410);
    assert_eq!(late.json()["reason"], "stopped");
}

#[test]
fn a_limit_set_on_one_node_holds_on_the_other_and_in_its_dialects() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 2, &[]);
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    a.call("PUT", "/v1/users/u", Some(&json!({ "limit": 1 })));
    assert_eq!(b.call("PUT", "/v1/users/u/sessions/s", None).status, 201);
    let refused = a.call(
        "POST",
        "/compat/session-tracker/add-session?user_id=u",
        None,
    );
    assert_eq!(refused.status, 409);
    assert_eq!(refused.json()["message"], "Max sessions of 1 reached.");
}

#[test]
fn a_backup_over_redis_is_refused_and_names_the_means_of_redis() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 1, &[]);
    backup_is_elsewhere(&nodes.servers[0], "BGSAVE");
}

#[test]
fn a_node_that_is_killed_loses_no_session() {
    let redis = redis();
    let mut nodes = Nodes::over(&redis, 2, &[]);
    let killed = nodes.servers.remove(0);
    assert_eq!(
        killed.call("PUT", "/v1/users/u/sessions/s", None).status,
        201
    );
    killed.kill();
    let left = nodes.servers[0].call("GET", "/v1/users/u/sessions", None);
    assert_eq!(left.json()["active"], 1);
}

/// Each call waits for Redis while its client leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_over_redis_is_carried_out_for_a_client_that_has_left() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 1, &[]);
    departure::every_call_is_carried_out(&nodes.servers[0], 210).await;
}
