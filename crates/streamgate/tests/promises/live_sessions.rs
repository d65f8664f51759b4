//! The gauge `streamgate_live_sessions` of the real binary is the number of sessions that hold a
//! slot: through starts, stops, a kill, expiry and revival, in `/v1` and in dialects.

use std::time::Duration;

use serde_json::json;
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Server, serve_arguments, streamgate};
use tempfile::TempDir;

/// How long leases and a sweep may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn serve(dir: &TempDir) -> Server {
    let mut command = streamgate(&serve_arguments(dir.path()));
    for setting in ["policy.lease_s=5", "compat.lease_s=5", "sweep.interval_s=1"] {
        command.args(["--set", setting]);
    }
    Server::spawn(command)
}

fn live_sessions(server: &Server) -> u32 {
    server.metric("streamgate_live_sessions")
}

#[test]
fn the_gauge_of_live_sessions_counts_every_beginning_and_end_once() {
    let dir = TempDir::new().unwrap();
    let server = serve(&dir);
    assert_eq!(live_sessions(&server), 0);
    let give_way = json!({ "session_id": "d", "terminate": ["b"] });
    for (method, path, body, status, live) in [
        ("PUT", "/v1/users/u/sessions/a", None, 201, 1),
        ("PUT", "/v1/users/u/sessions/b", None, 201, 2),
        ("PUT", "/v1/users/u/sessions/b", None, 200, 2),
        ("PUT", "/v1/users/u/sessions/c", None, 201, 3),
        ("PUT", "/v1/users/u/sessions/d", None, 409, 3),
        ("POST", "/v1/users/u/sessions", Some(&give_way), 201, 3),
        ("DELETE", "/v1/users/u/sessions/c", None, 204, 2),
        ("DELETE", "/v1/users/u/sessions/c", None, 204, 2),
        ("GET", "/compat/user-streams/user-streams/v/s", None, 200, 3),
        ("GET", "/compat/user-streams/user-streams/v/s", None, 200, 3),
        (
            "POST",
            "/compat/session-tracker/add-session?user_id=v",
            None,
            200,
            4,
        ),
        (
            "POST",
            "/compat/session-tracker/remove-session?user_id=v",
            None,
            200,
            3,
        ),
        ("DELETE", "/v1/users/v", None, 204, 2),
    ] {
        let answer = server.call(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(live_sessions(&server), live, "after {method} {path}");
    }

    server.kill();
    let server = serve(&dir);
    assert_eq!(live_sessions(&server), 2, "recovered");
    let waited = Stopwatch::start();
    while live_sessions(&server) > 0 {
        assert!(waited.elapsed() < PATIENCE, "expired sessions still count");
    }
    let late = "/v1/users/u/sessions/a/heartbeat";
    let revived = server.call("POST", late, None);
    assert_eq!(revived.status, 200, "{revived:?}");
    assert_eq!(live_sessions(&server), 1, "revived");
}
