//! The past hour, refusals and the node itself, as a real server tells them.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Server, eventually, exchange, pause};
use tempfile::TempDir;

fn sum(series: &Value) -> f64 {
    let values = series.as_array().unwrap().iter();
    values.filter_map(Value::as_f64).sum()
}

fn get(server: &Server, path: &str) -> Value {
    let answer = server.call("GET", path, None);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn starts_and_refusals_are_told_within_two_seconds() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    // The first sample is there: the machine may be slow at the start.
    eventually("the node is sampled", || {
        get(&server, "/v1/stats")["starts"][299].is_number()
    });
    let begun = Stopwatch::start();
    for session in ["a", "b", "c", "d", "e"] {
        server.call("PUT", &format!("/v1/users/anna/sessions/{session}"), None);
    }
    let called = begun.elapsed();
    let stats = loop {
        let stats = get(&server, "/v1/stats?window_s=10");
        if sum(&stats["refusals"]) == 2.0 {
            break stats;
        }
        pause();
    };
    let took = begun.elapsed() - called;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(sum(&stats["starts"]), 3.0);
    let last = |name: &str| stats[name].as_array().unwrap().last().cloned();
    assert_eq!(last("live_sessions"), Some(json!(3)));
    assert_eq!(last("watching_users"), Some(json!(1)));
    let refusals = get(&server, "/v1/users/anna/refusals");
    assert_eq!(refusals["refusals"][0]["asked"]["session_id"], "e");
    assert_eq!(
        get(&server, "/v1/refusals")["refusals"][1]["user_id"],
        "anna"
    );
}

#[test]
fn users_of_before_a_restart_are_counted_once_the_sweep_has_seen_them() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    for user in ["anna", "bob"] {
        server.call("PUT", &format!("/v1/users/{user}/sessions/tv"), None);
    }
    server.terminate();
    let server = Server::start_with(dir.path(), &["--set", "sweep.interval_s=1"]);
    eventually("both users are counted", || {
        let stats = get(&server, "/v1/stats?window_s=10");
        stats["watching_users"][9] == 2 && stats["live_sessions"][9] == 2
    });
}

#[test]
fn a_node_shows_the_settings_that_differ_and_no_secret() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("streamgate.toml");
    // Of the key `secret`.
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let text = format!(
        "[policy]\nlease_s = 60\n[[keys]]\nname = \"ops\"\nsha256 = \"{hash}\"\nscope = \"admin\"\n"
    );
    fs::write(&config, text).unwrap();
    let data = dir.path().join("data");
    let server = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
    let request = "GET /v1/node HTTP/1.1\r\nhost: localhost\r\nx-api-key: secret\r\n\
                   connection: close\r\n\r\n";
    let answer = exchange(server.address, request.as_bytes());
    let node = answer.json();
    let settings = node["settings"].as_array().unwrap();
    let has = |name: &str, value: &str, default: &str| {
        settings.contains(&json!({"name": name, "value": value, "default": default}))
    };
    assert!(has("policy.lease_s", "60", "90"), "{node}");
    assert!(has("keys", "1", "0"), "{node}");
    assert!(!answer.text.contains(hash), "{node}");
    assert_eq!(node["store"]["kind"], "embedded");
}
