//! A user near the bounds of sessions: its calls cost other users little.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use streamgate_testkit::{Client, Server};
use tempfile::TempDir;

/// The highest limit, and the most entries of a batch.
const SESSIONS: usize = 1_000;

/// A server with a user that has as many sessions as any may.
async fn crowded(dir: &TempDir) -> (Server, Client) {
    let limit = format!("policy.default_limit={SESSIONS}");
    let server = Server::start_with(dir.path(), &["--set", &limit]);
    let mut client = Client::connect(server.address).await.unwrap();
    let sessions: Vec<String> = (0..SESSIONS)
        .map(|number| format!("s{number:03}"))
        .collect();
    let import = json!({"users": [{"user_id": "crowd", "sessions": sessions}]});
    let answer = client.send("POST", "/v1/import", Some(&import)).await;
    assert_eq!(answer.unwrap().json()["started"], SESSIONS);
    (server, client)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the time that a real process takes is what is measured"
)]
async fn took(client: &mut Client, path: &str, body: Option<&Value>) -> (Duration, Value) {
    let began = Instant::now();
    let answer = client.send("POST", path, body).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    (began.elapsed(), answer.json())
}

/// A heartbeat of such a user reads and writes a record of a thousand sessions. A batch of a
/// thousand heartbeats does so once; entry by entry it would take a thousand times as long as one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_thousand_heartbeats_of_one_user_is_one_decision() {
    let dir = TempDir::new().unwrap();
    let (_server, mut client) = crowded(&dir).await;
    let path = "/v1/users/crowd/sessions/s500/heartbeat";
    let mut one = Duration::MAX;
    for _ in 0..10 {
        one = one.min(took(&mut client, path, None).await.0);
    }
    let entry = |number| json!({"user_id": "crowd", "session_id": format!("s{number:03}")});
    let batch = json!({"heartbeats": (0..SESSIONS).map(entry).collect::<Vec<_>>()});
    let mut all = Duration::MAX;
    for _ in 0..3 {
        let (time, answer) = took(&mut client, "/v1/heartbeats", Some(&batch)).await;
        assert_eq!(answer["renewed"], SESSIONS);
        assert_eq!(answer["failed"], json!([]));
        all = all.min(time);
    }
    assert!(
        all < 250 * one,
        "a batch took {all:?}, one heartbeat {one:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_and_lists_of_a_crowded_user_are_bounded() {
    let dir = TempDir::new().unwrap();
    let (_server, mut client) = crowded(&dir).await;
    let refusal = client.start("crowd", "one-more").await.unwrap();
    assert_eq!(
        (refusal.status, refusal.code().as_str()),
        (409, "limit_reached")
    );
    assert_eq!(refusal.json()["sessions"].as_array().unwrap().len(), 100);
    assert_eq!(refusal.json()["sessions_total"], SESSIONS);
    assert_eq!(refusal.json()["active"], SESSIONS);
    let mut path = "/v1/users/crowd/sessions".to_owned();
    let mut listed = Vec::new();
    while let Some(query) = {
        let page = client.send("GET", &path, None).await.unwrap().json();
        let sessions = page["sessions"].as_array().unwrap();
        assert!(sessions.len() <= 100);
        listed.extend(
            sessions
                .iter()
                .map(|session| session["session_id"].to_string()),
        );
        let cursor = page["next_cursor"].as_str();
        cursor.map(|cursor| format!("/v1/users/crowd/sessions?cursor={cursor}"))
    } {
        path = query;
    }
    assert_eq!(listed.len(), SESSIONS);
    listed.dedup();
    assert_eq!(listed.len(), SESSIONS, "each is listed once");
}

/// An operator who blocks such a user ends all its sessions in one step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limit_0_ends_a_thousand_sessions_at_once() {
    let dir = TempDir::new().unwrap();
    let (_server, mut client) = crowded(&dir).await;
    let answer = client.set_limit("crowd", 0).await.unwrap();
    assert_eq!(answer.json()["active"], 0, "{answer:?}");
    for session in ["s000", "s500", "s999"] {
        let ended = client.heartbeat("crowd", session).await.unwrap();
        assert_eq!(ended.status, 410, "{ended:?}");
        assert_eq!(ended.json()["reason"], "revoked");
    }
}
