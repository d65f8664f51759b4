//! Promise 1 again, stricter: every answer of a mixed storm fits one order of events.

use streamgate_testkit::Server;
use tempfile::TempDir;

use crate::promises::storm::{is_explained, one_too_many, storm};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_a_storm_fits_one_order() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    storm(&[server.address], 15).await;
}

#[test]
fn the_search_finds_a_slot_that_was_given_twice() {
    assert!(!is_explained(&one_too_many()));
}
