//! Promise 1 again, stricter: every answer of a mixed storm fits one order of events.

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use tempfile::TempDir;

use crate::call::{Call, Reply};
use crate::storm::{Happened, Log, Reference, one_too_many, storm};
use crate::support::Server;

const ROUNDS: usize = 15;

impl SequentialSpec for Reference {
    type Op = Call;
    type Ret = Reply;

    fn invoke(&mut self, call: &Call) -> Reply {
        self.answer(call)
    }
}

fn is_explained(log: &Log) -> bool {
    let mut history = LinearizabilityTester::new(Reference::default());
    for (player, happened) in log {
        match happened.clone() {
            Happened::Asked(call) => history.on_invoke(*player, call).unwrap(),
            Happened::Answered(reply) => history.on_return(*player, reply).unwrap(),
        };
    }
    history.is_consistent()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_a_storm_fits_one_order() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    storm(&[server.address], ROUNDS, is_explained).await;
}

#[test]
fn the_search_finds_a_slot_that_was_given_twice() {
    assert!(!is_explained(&one_too_many()));
}
