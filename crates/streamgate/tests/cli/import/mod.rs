//! `streamgate import` against a server: what becomes of users and sessions.

mod files;
mod servers;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use streamgate_testkit::{Ran, Server, run};
use tempfile::TempDir;

/// A server, and a directory for files.
struct Place {
    server: Server,
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let server = Server::start_with(&dir.path().join("data"), arguments);
        Self { server, dir }
    }

    fn file(&self, text: &str) -> PathBuf {
        file(&self.dir, text)
    }

    fn import(&self, from: &str, text: &str, more: &[&str]) -> Ran {
        import(&self.server.url(), from, &self.file(text), more)
    }

    /// The sessions of a user: their ids, in the order in which they started.
    fn sessions(&self, user: &str) -> Vec<String> {
        let path = format!("/v1/users/{user}/sessions");
        let listed = self.server.call("GET", &path, None).json();
        let sessions = listed["sessions"].as_array().unwrap();
        let id = |session: &Value| session["session_id"].as_str().unwrap().to_owned();
        sessions.iter().map(id).collect()
    }
}

fn file(dir: &TempDir, text: &str) -> PathBuf {
    let path = dir.path().join("file.json");
    fs::write(&path, text).unwrap();
    path
}

fn import(url: &str, from: &str, file: &Path, more: &[&str]) -> Ran {
    let file = file.to_str().unwrap();
    run(&[&["import", "--url", url, "--from", from, file], more].concat())
}

/// An export of a DynamoDB table.
const EXPORT: &str = r#"{"Item":{"user_id":{"N":"1"},"active_sessions":{"N":"2"}}}
{"Item":{"user_id":{"S":"002"},"active_sessions":{"N":"4"}}}
{"Item":{"user_id":{"N":"3"},"active_sessions":{"N":"0"}}}
{"Item":{"user_id":{"S":""},"active_sessions":{"N":"1"}}}
"#;

fn db_json() -> String {
    let row = |user: &str, sessions: &[&str]| {
        json!({"userId": user, "noOfStreams": sessions.len(), "sessionIds": sessions}).to_string()
    };
    json!({
        "ids": {"UserStreams": 2},
        "models": {"UserStreams": {
            "u": row("u", &["1", "2"]),
            "v": row("v", &["1", "", "2"]),
            "w": "broken",
        }},
    })
    .to_string()
}

fn database_json() -> String {
    let user = |name: &str, watching: Value| {
        json!({
            "Name": name, "Subscription": "Gold",
            "Status": {
                "Online": {"Streams": {"activeStreams": 9, "watching": watching}},
                "offline": {"lastOnline": null},
            },
        })
    };
    json!({"Users": {
        "010": user("Ann", json!(["stream_1", "stream_2"])),
        "011": user("Bob", json!([null])),
    }})
    .to_string()
}

#[test]
fn imported_sessions_hold_slots_for_the_lease_of_callers_without_heartbeats() {
    let place = Place::new();
    place.import("user-streams", &db_json(), &[]);
    let listed = place
        .server
        .call("GET", "/v1/users/u/sessions", None)
        .json();
    let ids = ["/sessions/0", "/sessions/1"].map(|at| listed.pointer(at).unwrap());
    let hours = ids.map(|session| {
        let hour_of = |name: &str| {
            session[name].as_str().unwrap()[11..13]
                .parse::<u32>()
                .unwrap()
        };
        (hour_of("expires_at") + 24 - hour_of("last_seen_at")) % 24
    });
    assert_eq!(hours, [12, 12], "{listed}");
    let start = |session: &str| {
        let path = format!("/v1/users/u/sessions/{session}");
        place.server.call("PUT", &path, None).status
    };
    assert_eq!([start("3"), start("4")], [201, 409]);
}

#[test]
fn what_ended_in_between_is_not_started_again() {
    let place = Place::new();
    let said = place.import("user-streams", &db_json(), &[]).ok();
    assert!(
        said.contains("imported 2 users: 4 sessions started, 0 live already\n"),
        "{said}"
    );
    assert!(
        said.contains("  key \"v\", user v, session : the session's id must not be empty\n"),
        "{said}"
    );
    assert!(
        said.contains("  key \"w\": the row is not valid JSON: "),
        "{said}"
    );
    place.server.call("DELETE", "/v1/users/u/sessions/1", None);
    let again = place.import("user-streams", &db_json(), &["--json"]).json();
    assert_eq!(
        (&again["started"], &again["already_live"]),
        (&json!(0), &json!(3))
    );
    assert_eq!(again["skipped"], json!({"ended": 1, "invalid": 2}));
    let ended = again["details"].as_array().unwrap();
    let ended = ended.iter().find(|skip| skip["reason"] == "ended").unwrap();
    assert_eq!(
        *ended,
        json!({"at": "key \"u\"", "user_id": "u", "session_id": "1", "reason": "ended",
               "detail": "it has ended here: stopped"})
    );
    assert_eq!(place.sessions("u"), ["2"]);
}

#[test]
fn thousands_of_users_come_over_in_batches() {
    let place = Place::with(&["--durability", "none"]);
    let row = |user: u32| {
        format!(
            "{{\"Item\":{{\"user_id\":{{\"N\":\"{user}\"}},\"active_sessions\":{{\"N\":\"{}\"}}}}}}\n",
            user % 5
        )
    };
    let export: String = (0..7_000).map(row).collect();
    let import = || {
        let mut ran = place.import("session-tracker", &export, &["--json"]);
        // A slow machine takes longer than the five seconds between two lines of progress.
        let is_progress = |line: &str| line.contains(" of 5,600 users, ");
        assert!(ran.stderr.lines().all(is_progress), "{}", ran.stderr);
        ran.stderr.clear();
        ran.json()
    };
    let said = import();
    assert_eq!(said["users"], 5_600);
    assert_eq!(said["started"], 1_400 * (1 + 2 + 3 + 3));
    assert_eq!(said["nothing_to_import"], 1_400);
    assert_eq!(said["skipped"], json!({"no_slot": 1_400}));
    assert_eq!(place.sessions("6999").len(), 3);
    let again = import();
    assert_eq!(
        (&again["started"], &again["already_live"]),
        (&json!(0), &said["started"])
    );
}
