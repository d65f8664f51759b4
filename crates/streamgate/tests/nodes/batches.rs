//! Batches of heartbeats: in parallel from several gateways, and of one user with many sessions.

use std::sync::Arc;

use serde_json::json;
use streamgate_testkit::{Client, Redis};
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

/// How many commits the server has made since its statistics were reset: each writes the record
/// once. A speculative commit that arrives too late, on a busy machine, writes nothing and is made
/// again.
fn commits(redis: &Redis) -> u64 {
    let info: String = redis.ask(&["INFO", "commandstats"]);
    let mut lines = info.lines();
    let counted = lines.find_map(|line| line.strip_prefix("cmdstat_set:calls="));
    let (calls, _) = counted.unwrap().split_once(',').unwrap();
    calls.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_thousand_heartbeats_of_one_user_is_one_commit() {
    const SESSIONS: usize = 1_000;
    let redis = redis();
    let limit = format!("policy.default_limit={SESSIONS}");
    let nodes = Nodes::over(&redis, 1, &[&PATIENT[..], &["--set", &limit]].concat());
    let address = nodes.servers[0].address;
    let mut client = Client::connect(address).await.unwrap();
    let ids: Vec<_> = (0..SESSIONS).map(|number| format!("s{number}")).collect();
    let import = json!({ "users": [{ "user_id": "crowd", "sessions": ids }] });
    let imported = client.send("POST", "/v1/import", Some(&import));
    assert_eq!(imported.await.unwrap().json()["started"], SESSIONS);

    let entry = |id| json!({ "user_id": "crowd", "session_id": id });
    let entries: Vec<_> = ids.iter().map(entry).collect();
    let body = json!({ "heartbeats": entries });
    let _: String = redis.ask(&["CONFIG", "RESETSTAT"]);
    let answer = client.send("POST", "/v1/heartbeats", Some(&body));
    assert_eq!(answer.await.unwrap().json()["renewed"], SESSIONS);
    assert_eq!(commits(&redis), 1);
}
