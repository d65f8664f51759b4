//! Nodes over one store know each other, and each answers for itself about the past hour.

use serde_json::{Value, json};
use streamgate_testkit::{Server, eventually};

use super::{Nodes, redis};

fn get(node: &Server, path: &str) -> Value {
    let answer = node.call("GET", path, None);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The names of the nodes that one knows, itself first.
fn known(node: &Server) -> Vec<String> {
    let about = get(node, "/v1/node");
    assert_eq!(about["scope"], "all", "{about}");
    assert_eq!(about["store"]["kind"], "redis", "{about}");
    let nodes = about["nodes"].as_array().unwrap();
    assert_eq!(nodes[0]["this"], true, "{about}");
    assert!(nodes[1..].iter().all(|node| node["this"] == false));
    let name = |node: &Value| node["node"].as_str().unwrap().to_owned();
    nodes.iter().map(name).collect()
}

#[test]
fn nodes_over_redis_know_each_other_by_the_names_that_they_give_themselves() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 3, &[]);
    let mut names = Vec::new();
    for node in &nodes.servers {
        eventually("each node knows the others", || known(node).len() == 3);
        let mut known = known(node);
        names.push(known[0].clone());
        known.sort();
        names.sort();
        assert!(names.iter().all(|name| known.contains(name)), "{known:?}");
    }
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[test]
fn a_node_that_died_is_told_with_when_it_was_heard_of_last() {
    let redis = redis();
    let mut nodes = Nodes::over(&redis, 2, &[]);
    let (other, node) = (nodes.servers.pop().unwrap(), nodes.servers.pop().unwrap());
    eventually("it knows the other", || known(&node).len() == 2);
    other.kill();
    let about = get(&node, "/v1/node");
    let dead = &about["nodes"][1];
    assert_eq!(dead["version"], about["version"]);
    assert!(dead["last_seen_at"].as_str() <= about["nodes"][0]["last_seen_at"].as_str());
    assert!(dead["started_at"].as_str() <= dead["last_seen_at"].as_str());
}

#[test]
fn each_node_tells_its_own_refusals_and_no_number_that_it_cannot_know() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 2, &[]);
    let [one, other] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    for session in ["a", "b", "c"] {
        one.call("PUT", &format!("/v1/users/anna/sessions/{session}"), None);
    }
    let refused = other.call("PUT", "/v1/users/anna/sessions/d", None);
    assert_eq!(refused.status, 409, "{refused:?}");
    let count = |node: &Server| {
        let body = get(node, "/v1/users/anna/refusals");
        assert_eq!(body["scope"], "node");
        body["refusals"].as_array().unwrap().len()
    };
    assert_eq!((count(one), count(other)), (0, 1));
    eventually("the starts are sampled", || {
        let stats = get(one, "/v1/stats?window_s=10");
        assert_eq!(stats["live_sessions"], json!(vec![Value::Null; 10]));
        assert_eq!(stats["watching_users"], json!(vec![Value::Null; 10]));
        let starts = stats["starts"].as_array().unwrap().iter();
        starts.filter_map(Value::as_f64).sum::<f64>() == 3.0
    });
}
