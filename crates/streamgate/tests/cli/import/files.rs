//! `streamgate import`: the file formats that it reads, and files that it refuses.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;
use streamgate_testkit::{Ran, streamgate};
use tempfile::TempDir;

use super::{EXPORT, Place, database_json, db_json, file, import};

#[test]
fn a_table_becomes_sessions_with_stable_names() {
    let place = Place::new();
    let said = place.import("session-tracker", EXPORT, &[]).ok();
    assert_eq!(
        said,
        "\
imported 2 users: 5 sessions started, 0 live already
1 user with nothing to import
skipped, invalid: 1
  line 4, user : the user's id must not be empty
skipped, no_slot: 1
  line 2, user 2, session imported-4: every slot is taken; the limit is 3
"
    );
    assert_eq!(place.sessions("1"), ["imported-1", "imported-2"]);
    assert_eq!(place.sessions("2").len(), 3);

    let again = place.import("session-tracker", EXPORT, &["--json"]).json();
    assert_eq!(
        (&again["started"], &again["already_live"]),
        (&json!(0), &json!(5))
    );
    assert_eq!(place.sessions("1"), ["imported-1", "imported-2"]);
    // The dialect knows them, whatever the spelling of the user.
    let path = "/compat/session-tracker/remove-session?user_id=01.0";
    let removed = place.server.call("POST", path, None);
    assert!(removed.text.contains("decremented to 1"), "{removed:?}");
}

#[test]
fn a_scan_and_plain_rows_are_tables_too() {
    let place = Place::new();
    let scan = json!({
        "Items": [{"user_id": {"N": "1"}, "active_sessions": {"N": "1"}}],
        "Count": 1, "ScannedCount": 1, "ConsumedCapacity": null,
    });
    let list =
        json!([{"user_id": 2, "active_sessions": 1}, {"user_id": "x", "active_sessions": 1}]);
    let lines = "{\"user_id\":1,\"active_sessions\":2}\n\n{\"user_id\":4,\"active_sessions\":1}";
    for (text, users, started) in [
        (format!("{scan:#}"), 1, 1),
        (list.to_string(), 2, 2),
        (lines.to_owned(), 2, 2),
        (String::new(), 0, 0),
    ] {
        let said = place.import("session-tracker", &text, &["--json"]).json();
        assert_eq!(said["users"], users, "{text}");
        assert_eq!(said["started"], started, "{text}");
    }
    assert_eq!(place.sessions("1").len(), 2);
    assert_eq!(place.sessions("x").len(), 1);
}

#[test]
fn profiles_come_along_where_there_are_none() {
    let place = Place::new();
    let set = json!({"profile": {"Name": "Robert"}});
    place.server.call("PUT", "/v1/users/011", Some(&set));
    let said = place
        .import("stream-requests", &database_json(), &["--json"])
        .json();
    assert_eq!((&said["users"], &said["started"]), (&json!(2), &json!(2)));
    assert_eq!(said["skipped"], json!({"invalid": 1, "profile_kept": 1}));
    let ann = place.server.call("GET", "/v1/users/010", None).json();
    assert_eq!(
        ann["profile"],
        json!({"Name": "Ann", "Subscription": "Gold"})
    );
    assert_eq!(ann["active"], 2);
    let bob = place.server.call("GET", "/v1/users/011", None).json();
    assert_eq!(bob["profile"], json!({"Name": "Robert"}));
    let again = place
        .import("stream-requests", &database_json(), &["--json"])
        .json();
    assert_eq!(
        (&again["started"], &again["already_live"]),
        (&json!(0), &json!(2))
    );
}

#[test]
fn a_dry_run_calls_no_server() {
    let dir = TempDir::new().unwrap();
    // Port 1 is reserved, and nothing listens there.
    let dry = |from: &str, text: &str, more: &[&str]| {
        let more = [&["--dry-run"], more].concat();
        import("http://127.0.0.1:1", from, &file(&dir, text), &more)
    };
    let said = dry("session-tracker", EXPORT, &[]).ok();
    assert!(
        said.starts_with("dry run: 2 users with 6 sessions would be sent; nothing was\n"),
        "{said}"
    );
    let said = dry("stream-requests", &database_json(), &["--json"]).json();
    assert_eq!((&said["users"], &said["sessions"]), (&json!(2), &json!(2)));
    assert_eq!(said["dry_run"], true);
    dry("session-tracker", "{", &[]).failed(1);
    // Without the flag, the server is missed.
    let said = import(
        "http://127.0.0.1:1",
        "session-tracker",
        &file(&dir, EXPORT),
        &[],
    )
    .failed(69);
    assert!(said.contains("127.0.0.1:1"), "{said}");
}

#[test]
fn files_that_are_broken_or_of_another_system_change_nothing() {
    let place = Place::new();
    let broken = format!("{EXPORT}{{\"Item\":{{\"user_id\"");
    let comma = EXPORT.replacen("}}\n", "}},\n", 1);
    let documents = [db_json(), database_json()];
    for (from, text, says) in [
        ("session-tracker", &*broken, "it ends too early"),
        ("session-tracker", &*comma, "line 1"),
        ("session-tracker", "[", "it ends too early"),
        ("session-tracker", "7", "expected an object or a list"),
        ("session-tracker", "{\"a\": 1}", "no \"user_id\""),
        ("session-tracker", "\u{1f}\u{8b}", "gunzip -c FILE"),
        ("session-tracker", &*documents[0], "--from user-streams"),
        ("session-tracker", &*documents[1], "--from stream-requests"),
        ("user-streams", EXPORT, "--from session-tracker"),
        ("user-streams", "", "it ends too early"),
        ("user-streams", "{}", "no \"models.UserStreams\""),
        ("user-streams", "{\"models\": []}", "expected an object"),
        ("user-streams", &*documents[1], "--from stream-requests"),
        ("stream-requests", "{\"Users\": {}} x", "not valid JSON"),
        ("stream-requests", &*documents[0], "--from user-streams"),
    ] {
        let said = place.import(from, text, &[]).failed(1);
        assert!(said.contains(says) && said.contains("file.json"), "{said}");
    }
    let users = place.server.call("GET", "/v1/users", None).json();
    assert_eq!(users["users"], json!([]));
    let nowhere = place.dir.path().join("nowhere");
    let said = import(&place.server.url(), "user-streams", &nowhere, &[]).failed(2);
    assert!(said.contains("nowhere"), "{said}");
    import(&place.server.url(), "user-streams", place.dir.path(), &[]).failed(2);
    place.import("elsewhere", "", &[]).failed(2);
}

#[test]
fn standard_input_is_read_as_it_comes() {
    let place = Place::new();
    let url = place.server.url();
    let pipe = |text: &str| -> Ran {
        let mut child = streamgate(&["import", "--url", &url, "--from", "session-tracker", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap().into()
    };
    let said = pipe(EXPORT).ok();
    assert!(said.starts_with("imported 2 users: 5 sessions"), "{said}");
    // What came before the fault is imported and told.
    let ran = pipe("{\"user_id\":8,\"active_sessions\":1}\n{");
    assert!(
        ran.stdout.starts_with("imported 1 user: 1 session started"),
        "{ran:?}"
    );
    let said = ran.failed(1);
    assert!(said.contains("standard input is not valid JSON"), "{said}");
    assert_eq!(place.sessions("8").len(), 1);
}
