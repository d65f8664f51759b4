//! Parallel batches of heartbeats from several gateways.

use std::sync::Arc;

use serde_json::json;
use streamgate_testkit::Client;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::nodes::race::PATIENT;
use crate::nodes::{Nodes, redis};

const GATEWAYS: usize = 8;
const PLAYERS: usize = 200;
const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_heartbeats_at_once_all_renew() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 1, &PATIENT);
    let address = nodes.servers[0].address;
    let mut gateways = JoinSet::new();
    let barrier = Arc::new(Barrier::new(GATEWAYS));
    for gateway in 0..GATEWAYS {
        let barrier = Arc::clone(&barrier);
        gateways.spawn(async move {
            let mut client = Client::connect(address).await.unwrap();
            let users: Vec<_> = (0..PLAYERS).map(|i| format!("u{gateway}-{i}")).collect();
            for user in &users {
                assert_eq!(client.start(user, "s").await.unwrap().status, 201);
            }
            let entry = |user| json!({ "user_id": user, "session_id": "s" });
            let entries: Vec<_> = users.iter().map(entry).collect();
            let body = json!({ "heartbeats": entries });
            for _ in 0..ROUNDS {
                barrier.wait().await;
                let answer = client.send("POST", "/v1/heartbeats", Some(&body));
                let answer = answer.await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_eq!(answer.json()["renewed"], PLAYERS, "{answer:?}");
            }
        });
    }
    while let Some(gateway) = gateways.join_next().await {
        gateway.unwrap();
    }
}
