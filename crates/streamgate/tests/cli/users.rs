//! `streamgate users` against a server.

use serde_json::json;
use streamgate_testkit::{Ran, Server, run, run_with};
use tempfile::TempDir;

fn users(server: &Server, arguments: &[&str]) -> Ran {
    run_with(
        &[&["users"], arguments].concat(),
        &[("STREAMGATE_URL", &server.url())],
    )
}

#[test]
fn limits_and_plans_are_set_shown_and_taken_away() {
    let dir = TempDir::new().unwrap();
    let server = Server::start_with(dir.path(), &["--set", "plans.premium.limit=4"]);
    assert_eq!(users(&server, &["list"]).ok(), "no users\n");
    let said = users(&server, &["show", "anna"]).failed(1);
    assert!(said.contains("not_found, HTTP 404"), "{said}");

    let set = users(&server, &["set-plan", "anna", "premium", "--json"]).json();
    assert_eq!(
        (&set["plan"], &set["limit"]),
        (&json!("premium"), &json!(4))
    );
    let set = users(&server, &["set-limit", "anna", "0"]).ok();
    assert!(set.contains("limit") && set.contains(" 0\n"), "{set}");
    let limit =
        |server: &Server| users(server, &["show", "anna", "--json"]).json()["limit"].clone();
    assert_eq!(limit(&server), 0);
    users(&server, &["set-limit", "anna", "--clear"]).ok();
    assert_eq!(limit(&server), 4);
    let cleared = users(&server, &["set-plan", "anna", "--clear", "--json"]).json();
    assert_eq!(cleared["limit"], 3);
    // Nothing is stored of a user that has nothing of its own.
    users(&server, &["show", "anna"]).failed(1);

    let said = users(&server, &["set-limit", "anna", "1001"]).failed(1);
    assert!(
        said.contains("HTTP 400") && said.contains("\n  limit: "),
        "{said}"
    );
}

#[test]
fn ids_of_all_kinds_reach_the_server_as_they_are() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    for user in [
        "a/b",
        "a b",
        "ä%2F",
        "?x=1#y",
        "..",
        "a+b@example.com",
        "日本",
    ] {
        let set = users(&server, &["set-limit", user, "2", "--json"]).json();
        assert_eq!(set["user_id"], user);
    }
    let listed = users(&server, &["list", "--json"]).json();
    assert_eq!(listed["users"].as_array().unwrap().len(), 7);
    assert_eq!(
        users(&server, &["delete", ".."]).ok(),
        "user .. is erased\n"
    );
    assert_eq!(users(&server, &["delete", "a/b", "--json"]).ok(), "");
    assert_eq!(users(&server, &["list"]).ok().lines().count(), 1 + 5);
}

#[test]
fn all_pages_of_a_list_are_followed() {
    let dir = TempDir::new().unwrap();
    let server = Server::start_with(dir.path(), &["--durability", "none"]);
    for user in 0..1_050 {
        let path = format!("/v1/users/user-{user}");
        let set = server.call("PUT", &path, Some(&json!({ "limit": 1 })));
        assert_eq!(set.status, 200);
    }
    let listed = users(&server, &["list"]).ok();
    assert_eq!(listed.lines().count(), 1 + 1_050);
    assert!(listed.starts_with("USER "), "{}", &listed[..80]);
}

#[test]
fn a_server_that_cannot_be_reached_has_an_exit_code_of_its_own() {
    // Port 1 is reserved, and nothing listens there.
    for command in [&["users", "list"][..], &["sessions", "list"]] {
        let said = run(&[command, &["--url", "http://127.0.0.1:1"]].concat()).failed(69);
        assert!(
            said.contains("127.0.0.1:1") && said.contains("streamgate serve"),
            "{said}"
        );
    }
    run(&["users", "list", "--url", "no url"]).failed(2);
    run(&[
        "users",
        "list",
        "--key",
        "a\nb",
        "--url",
        "http://127.0.0.1:1",
    ])
    .failed(2);
}
