//! Promise 1 on many nodes: never more than the limit under parallel starts on all of them.

use std::sync::Arc;

use streamgate_testkit::Client;
use tokio::sync::Barrier;

use crate::nodes::{Nodes, redis};

const STARTS: usize = 200;
const LIMIT: usize = 3;

/// Two hundred at once, in a debug build, on two cores that do other things too: the deadline of a
/// request in earnest is for machines of their own.
pub(crate) const PATIENT: [&str; 2] = ["--set", "engine.deadline_ms=30000"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_admit_exactly_the_limit_of_200_parallel_starts() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 4, &PATIENT);
    race(&nodes, 50).await;
}

/// Lets two hundred players start at once for one user after another, spread over the nodes.
pub(crate) async fn race(nodes: &Nodes, rounds: usize) {
    let barrier = Arc::new(Barrier::new(STARTS));
    let mut tasks = Vec::new();
    for player in 0..STARTS {
        let node = &nodes.servers[player % nodes.servers.len()];
        let mut client = Client::connect(node.address).await.unwrap();
        let barrier = Arc::clone(&barrier);
        tasks.push(tokio::spawn(async move {
            let mut admitted = Vec::new();
            for round in 0..rounds {
                barrier.wait().await;
                let (user, id) = (format!("round-{round}"), format!("p{player}"));
                let answer = client.start(&user, &id).await.unwrap();
                match answer.status {
                    201 => admitted.push(round),
                    409 => assert_eq!(answer.code(), "limit_reached"),
                    _ => panic!("{answer:?}"),
                }
            }
            admitted
        }));
    }
    let mut admitted = vec![0; rounds];
    for task in tasks {
        for round in task.await.unwrap() {
            admitted[round] += 1;
        }
    }
    assert_eq!(admitted, vec![LIMIT; rounds]);
    for node in &nodes.servers {
        let mut client = Client::connect(node.address).await.unwrap();
        let live = client.live("round-0").await.unwrap();
        assert_eq!(live.len(), LIMIT, "every node says the same");
    }
}
