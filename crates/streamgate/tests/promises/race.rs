//! Promise 1: never more than the limit under parallel starts.

use std::sync::Arc;

use serde_json::json;
use streamgate_testkit::{Client, Server};
use tempfile::TempDir;
use tokio::sync::Barrier;

const STARTS: usize = 200;
const ROUNDS: usize = 50;
const LIMIT: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_limit_of_200_parallel_starts_is_admitted() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let barrier = Arc::new(Barrier::new(STARTS));
    let mut tasks = Vec::new();
    for player in 0..STARTS {
        let mut client = Client::connect(server.address).await.unwrap();
        let barrier = Arc::clone(&barrier);
        tasks.push(tokio::spawn(async move {
            let mut admitted = Vec::new();
            for round in 0..ROUNDS {
                barrier.wait().await;
                // Half of them bring an id, half let the server make one.
                let sessions = format!("/v1/users/round-{round}/sessions");
                let answer = if player % 2 == 0 {
                    client
                        .start(&format!("round-{round}"), &format!("p{player}"))
                        .await
                        .unwrap()
                } else {
                    client.send("POST", &sessions, None).await.unwrap()
                };
                match answer.status {
                    201 => {
                        assert!(answer.json()["active"].as_u64() <= Some(3), "{answer:?}");
                        admitted.push(round);
                    }
                    409 => {
                        assert_eq!(answer.code(), "limit_reached");
                        assert_eq!(answer.json()["limit"], json!(3));
                        assert_eq!(answer.json()["active"], json!(3));
                        assert_eq!(answer.json()["sessions"].as_array().unwrap().len(), 3);
                    }
                    _ => panic!("{answer:?}"),
                }
            }
            admitted
        }));
    }
    let mut admitted = [0; ROUNDS];
    for task in tasks {
        for round in task.await.unwrap() {
            admitted[round] += 1;
        }
    }
    assert_eq!(admitted, [LIMIT; ROUNDS]);
    let mut client = Client::connect(server.address).await.unwrap();
    for round in 0..ROUNDS {
        assert_eq!(
            client.live(&format!("round-{round}")).await.unwrap().len(),
            LIMIT
        );
    }
}

/// Promise 3: however often and however parallel one start is sent, it takes one slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_start_sent_by_many_at_once_takes_one_slot() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let barrier = Arc::new(Barrier::new(50));
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let mut client = Client::connect(server.address).await.unwrap();
        let barrier = Arc::clone(&barrier);
        tasks.push(tokio::spawn(async move {
            let mut statuses = Vec::new();
            for round in 0..20 {
                barrier.wait().await;
                let answer = client.start(&format!("u{round}"), "the-one").await.unwrap();
                assert_eq!(answer.json()["active"], json!(1), "{answer:?}");
                statuses.push(answer.status);
            }
            statuses
        }));
    }
    let mut created = [0; 20];
    for task in tasks {
        for (round, status) in task.await.unwrap().into_iter().enumerate() {
            assert!(status == 200 || status == 201, "{status}");
            created[round] += usize::from(status == 201);
        }
    }
    assert_eq!(created, [1; 20], "one of them is told that it is new");
}
