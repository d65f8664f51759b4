//! Promise 1 on many nodes, stricter: the answers of all nodes in a storm are linearizable.

use crate::nodes::race::PATIENT;
use crate::nodes::{Nodes, redis};
use crate::promises::storm::{is_explained, one_too_many, storm};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_over_redis_are_linearizable() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 4, &PATIENT);
    storm(&nodes.addresses(), 15).await;
}

#[test]
fn the_linearizability_checker_finds_a_slot_given_twice() {
    assert!(!is_explained(&one_too_many()));
}
