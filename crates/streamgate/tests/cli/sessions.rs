//! `streamgate sessions` against a server.

use serde_json::json;
use streamgate_testkit::{Ran, Server, run_with, session_ids};
use tempfile::TempDir;

fn sessions(server: &Server, arguments: &[&str]) -> Ran {
    run_with(
        &[&["sessions"], arguments].concat(),
        &[("STREAMGATE_URL", &server.url())],
    )
}

#[test]
fn live_sessions_are_listed_and_stopped() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    assert_eq!(sessions(&server, &["list"]).ok(), "no live sessions\n");
    for (user, session) in [("anna", "tv"), ("anna", "a/b"), ("bob", "phone")] {
        let body =
            json!({ "session_id": session, "device_name": "Wohnzimmer", "content_id": "film" });
        let path = format!("/v1/users/{user}/sessions");
        let started = server.call("POST", &path, Some(&body));
        assert_eq!(started.status, 201, "{started:?}");
    }
    let listed = sessions(&server, &["list"]).ok();
    let heading = listed.lines().next().unwrap();
    let headings: Vec<&str> = heading.split_whitespace().collect();
    assert_eq!(
        headings,
        ["USER", "SESSION", "DEVICE", "CONTENT", "STARTED", "EXPIRES"]
    );
    assert_eq!(listed.lines().count(), 1 + 3);
    assert_eq!(listed.matches("Wohnzimmer").count(), 3);

    let of_anna = sessions(&server, &["list", "--user", "anna"]).ok();
    assert!(of_anna.ends_with("\n2 of 3 slots taken\n"), "{of_anna}");
    let as_json = sessions(&server, &["list", "--user", "anna", "--json"]).json();
    assert_eq!(
        (&as_json["active"], &as_json["limit"]),
        (&json!(2), &json!(3))
    );

    assert_eq!(
        sessions(&server, &["stop", "anna", "a/b"]).ok(),
        "session a/b of user anna is stopped\n"
    );
    let all = sessions(&server, &["list", "--json"]).json();
    let mut left: Vec<&str> = all["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["session_id"].as_str().unwrap())
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["phone", "tv"]);
}

/// A page of one user has at most 100 sessions.
#[test]
fn all_sessions_of_a_user_with_several_pages_are_listed() {
    let dir = TempDir::new().unwrap();
    let server = Server::start_with(dir.path(), &["--set", "policy.default_limit=250"]);
    let ids: Vec<String> = (0..250).map(|number| format!("s{number:03}")).collect();
    let import = json!({ "users": [{ "user_id": "anna", "sessions": ids }] });
    let imported = server.call("POST", "/v1/import", Some(&import));
    assert_eq!(imported.json()["started"], 250, "{imported:?}");
    let listed = sessions(&server, &["list", "--user", "anna", "--json"]).json();
    assert_eq!(session_ids(&listed["sessions"]), ids);
    let table = sessions(&server, &["list", "--user", "anna"]).ok();
    assert!(table.ends_with("\n250 of 250 slots taken\n"), "{table}");
}
