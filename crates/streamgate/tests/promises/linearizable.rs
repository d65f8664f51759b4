//! Promise 1, stricter: the answers of a mixed storm are linearizable.

use streamgate_testkit::Server;
use tempfile::TempDir;

use crate::promises::storm::{is_explained, one_too_many, storm};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_is_linearizable() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    storm(&[server.address], 15).await;
}

#[test]
fn the_linearizability_checker_finds_a_slot_given_twice() {
    assert!(!is_explained(&one_too_many()));
}
