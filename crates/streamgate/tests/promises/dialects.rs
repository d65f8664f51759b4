//! Dialects on a full disk, on the real binary: each refuses starts in its own words, and stops and
//! heartbeats go on.

use serde_json::{Value, json};
use streamgate_testkit::{Answer, Server};
use tempfile::TempDir;

use crate::promises::disk_faults::{
    fill_volume, large, on_a_volume, serve_command, start_until_it_fails,
};

/// A start of a session `s` of this user in each dialect, and the status of a refusal for lack of
/// space.
fn starts(user: &str) -> [(&'static str, String, Option<Value>, u16); 5] {
    [
        (
            "POST",
            format!("session-tracker/add-session?user_id={user}"),
            None,
            500,
        ),
        (
            "GET",
            format!("concurrency-service/dev/startSession/userId/{user}/sessionId/s"),
            None,
            502,
        ),
        (
            "POST",
            "stream-log/dev/stream".to_owned(),
            Some(json!({ "userId": user })),
            503,
        ),
        (
            "GET",
            format!("user-streams/user-streams/{user}/s"),
            None,
            503,
        ),
        (
            "POST",
            "stream-requests/requeststream".to_owned(),
            Some(json!({ "id": "known", "stream": user })),
            503,
        ),
    ]
}

fn call(server: &Server, method: &str, path: &str, body: Option<&Value>) -> Answer {
    server.call(method, &format!("/compat/{path}"), body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_dialect_refuses_starts_on_a_full_disk_and_serves_the_rest() {
    let dir = TempDir::new().unwrap();
    let script = format!(
        "exec {} --set policy.default_limit=9",
        serve_command(dir.path())
    );
    let server = Server::spawn(on_a_volume("96m", dir.path(), &script));
    let known = json!({ "Name": "known", "id": "known" });
    call(&server, "POST", "stream-requests/createuser", Some(&known));
    let mut stream = None;
    for (method, path, body, _) in starts("before") {
        let started = call(&server, method, &path, body.as_ref());
        assert!(started.status < 300, "{path}: {started:?}");
        if path.starts_with("stream-log") {
            stream = Some(started.json()["message"]["streamId"].clone());
        }
    }
    fill_volume(&server, dir.path());
    start_until_it_fails(&server, "u", &large()).await;

    for (method, path, body, status) in starts("new") {
        let refused = call(&server, method, &path, body.as_ref());
        assert_eq!(refused.status, status, "{path}: {refused:?}");
        assert_eq!(refused.header("retry-after"), "10", "{path}");
        if status != 502 {
            assert!(refused.text.contains("it is full"), "{path}: {refused:?}");
        }
    }
    for session in ["before/sessions/s", "known/sessions/before"] {
        let path = format!("/v1/users/{session}/heartbeat");
        let renewed = server.call("POST", &path, None);
        assert_eq!(renewed.status, 200, "{renewed:?}");
    }
    let stream = json!({ "userId": "before", "streamId": stream });
    let known = json!({ "id": "known" });
    for (method, path, body, status) in [
        ("DELETE", "stream-log/dev/stream", Some(&stream), 204),
        (
            "POST",
            "session-tracker/remove-session?user_id=before",
            None,
            200,
        ),
        ("DELETE", "user-streams/user-streams/before", None, 204),
        ("POST", "stream-requests/removeuser", Some(&known), 200),
    ] {
        let ended = call(&server, method, path, body);
        assert_eq!(ended.status, status, "{path}: {ended:?}");
    }
    for user in ["before", "known", "new"] {
        let sessions = server.call("GET", &format!("/v1/users/{user}/sessions"), None);
        assert_eq!(sessions.json()["active"], 0, "{user}: {sessions:?}");
    }
}
