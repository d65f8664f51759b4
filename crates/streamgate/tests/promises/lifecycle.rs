//! Promises 4 and 6 on the real binary, and two nodes on one directory.

use std::time::Duration;

use serde_json::json;
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Answer, Client, Server, serve_arguments, streamgate};
use tempfile::TempDir;

/// Promise 4: free one lease after the last heartbeat, to the second, with no sweep. A busy machine
/// may delay requests and answers, so a start that was refused counts as of when it was sent, and
/// the one that was admitted by the server's times.
#[tokio::test]
async fn a_vanished_player_gives_its_slot_back_one_lease_later() {
    let dir = TempDir::new().unwrap();
    let settings = [
        "--set",
        "policy.lease_s=5",
        "--set",
        "sweep.interval_s=3600",
    ];
    let server = Server::start_with(dir.path(), &settings);
    let mut client = Client::connect(server.address).await.unwrap();
    client.set_limit("u", 1).await.unwrap();
    let vanished = client.start("u", "vanished").await.unwrap();
    assert_eq!(vanished.status, 201);
    let behind_start = Stopwatch::start();
    let refused = client.start("u", "next").await.unwrap();
    assert_eq!(refused.status, 409, "{refused:?}");
    let mut refused_after = Duration::ZERO;
    let next = loop {
        let sent_after = behind_start.elapsed();
        let answer = client.start("u", "next").await.unwrap();
        if answer.status == 201 {
            break answer;
        }
        refused_after = sent_after;
        // Only so as not to spin: the test measures when the slot is free, it does not wait for it.
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    // Times of one form, so they compare as texts do.
    let time = |answer: &Answer, name: &str| answer.json()["session"][name].to_string();
    let (free_at, taken_at) = (time(&vanished, "expires_at"), time(&next, "started_at"));
    assert!(taken_at >= free_at, "{taken_at}, but free at {free_at}");
    assert!(
        refused_after < Duration::from_millis(5_500),
        "still refused: {refused_after:?}"
    );
    let ended = client.heartbeat("u", "vanished").await.unwrap();
    assert_eq!(
        (ended.status, ended.code().as_str()),
        (410, "session_ended")
    );
    assert_eq!(ended.json()["reason"], "expired");
}

/// Promise 6: a refusal says which limit, who holds the slots, and when the next one is free.
#[tokio::test]
async fn a_refusal_explains_itself() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let mut client = Client::connect(server.address).await.unwrap();
    for device in ["tv", "phone", "tablet"] {
        let body = json!({ "session_id": device, "device_name": device });
        let answer = client
            .send("POST", "/v1/users/u/sessions", Some(&body))
            .await
            .unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let refused = client.start("u", "one-more").await.unwrap();
    assert_eq!(refused.status, 409);
    assert_eq!(refused.json()["limit"], 3);
    let refusal = refused.json();
    let devices: Vec<&str> = refusal["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["device_name"].as_str().unwrap())
        .collect();
    assert_eq!(devices, ["tv", "phone", "tablet"]);
    assert_eq!(
        refusal["next_slot_at"],
        refusal["sessions"][0]["expires_at"]
    );
}

#[test]
fn two_nodes_cannot_share_one_data_directory() {
    let dir = TempDir::new().unwrap();
    let first = Server::start(dir.path());
    let second = streamgate(&serve_arguments(dir.path())).output().unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains(dir.path().to_str().unwrap()), "{said}");
    assert!(
        said.contains("in use") || said.contains("another"),
        "{said}"
    );
    assert!(first.terminate().status.success());
    assert!(
        Server::start(dir.path()).terminate().status.success(),
        "free again afterwards"
    );
}

/// Space is that of the live state and a few pieces of log, not of the history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_does_not_grow_with_the_history() {
    const PLAYERS: usize = 4;
    const STARTS: usize = 6_000;
    /// The log comes in pieces of 16 MiB: the one in use, the next, and those that a snapshot at
    /// the very end had no time to take away.
    const DIRECTORY_MAX_BYTES: u64 = 4 * (16 << 20) + (1 << 20);
    let dir = TempDir::new().unwrap();
    let settings = [
        "--set",
        "store.snapshot_min_log_bytes=1048576",
        "--durability",
        "os",
    ];
    let server = Server::start_with(dir.path(), &settings);
    let attributes: serde_json::Map<String, serde_json::Value> = (0..16)
        .map(|i| (format!("key-{i}"), json!("x".repeat(256))))
        .collect();
    let body = json!({ "attributes": attributes });
    let players: Vec<_> = (0..PLAYERS)
        .map(|player| {
            let (address, body) = (server.address, body.clone());
            tokio::spawn(async move {
                let mut client = Client::connect(address).await.unwrap();
                for i in 0..STARTS {
                    let user = format!("u{player}-{}", i % 20);
                    let path = format!("/v1/users/{user}/sessions/s");
                    let started = client.send("PUT", &path, Some(&body)).await.unwrap();
                    assert_eq!(started.status, 201, "{started:?}");
                    client.stop(&user, "s").await.unwrap();
                }
            })
        })
        .collect();
    for player in players {
        player.await.unwrap();
    }
    assert!(server.terminate().status.success());
    let history_bytes = (PLAYERS * STARTS * 16 * 256) as u64;
    assert!(
        history_bytes > DIRECTORY_MAX_BYTES,
        "else this proves nothing"
    );
    let bytes: u64 = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(
        bytes <= DIRECTORY_MAX_BYTES,
        "{bytes} bytes after {history_bytes} of history"
    );
}
