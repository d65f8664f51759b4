//! Promise 1 on many nodes, stricter: every answer that any node gives in a storm fits one order of
//! events.

use crate::call::{Call, Reply};
use crate::history::{self, History};
use crate::race::PATIENT;
use crate::storm::{Happened, Log, PLAYERS_PER_USER, Reference, one_too_many, storm};
use crate::{Nodes, redis};

impl history::Reference for Reference {
    fn answers(&mut self, call: &Call, reply: &Reply) -> bool {
        self.answer(call) == *reply
    }
}

/// Nodes that compete let calls wait, and many orders fit for a while: this search goes on from each
/// state once.
pub(crate) fn is_explained(log: &Log) -> bool {
    let mut history = History::new(PLAYERS_PER_USER);
    let mut asked = vec![None; PLAYERS_PER_USER];
    for (player, happened) in log {
        match happened.clone() {
            Happened::Asked(call) => asked[*player] = Some((history.begin(), call)),
            Happened::Answered(reply) => {
                let (began, call) = asked[*player].take().unwrap();
                history.end(*player, began, call, reply);
            }
        }
    }
    history.explain(&Reference::default()).is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_a_storm_over_four_nodes_fits_one_order() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 4, &PATIENT);
    storm(&nodes.addresses(), 15, is_explained).await;
}

#[test]
fn the_search_finds_a_slot_that_was_given_twice() {
    assert!(!is_explained(&one_too_many()));
}
