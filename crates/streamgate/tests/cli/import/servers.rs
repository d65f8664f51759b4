//! `streamgate import` into servers that ask for a key, fail for a while, or go away.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};
use streamgate_testkit::{Server, run, run_with, serve_arguments, streamgate};
use tempfile::TempDir;

use super::{EXPORT, file, import};

/// What a server says of no users at all.
const NOTHING: &str = r#"{"users":0,"started":0,"already_live":0,"skipped":[]}"#;

/// The address of something that gives one answer after the other, and then goes away.
fn answering(answers: Vec<(&'static str, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            read_request(&mut stream);
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}");
            write!(stream, "{head}\r\n\r\n{body}").unwrap();
        }
    });
    url
}

/// Reads a request whose body is an object that ends in a list.
fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"]}") {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "the request ends too early");
        request.extend_from_slice(&part[..read]);
    }
}

#[test]
fn a_server_with_keys_takes_one_of_scope_admin() {
    let dir = TempDir::new().unwrap();
    let made = |scope: &str| run(&["key", "new", "--scope", scope, "--json"]).json();
    let (admin, service) = (made("admin"), made("service"));
    let entry = |key: &Value, scope: &str| {
        format!(
            "{{ name = \"{scope}\", sha256 = {}, scope = \"{scope}\" }}",
            key["sha256"]
        )
    };
    let keys = format!(
        "[{}, {}]",
        entry(&admin, "admin"),
        entry(&service, "service")
    );
    let data = dir.path().join("data");
    let mut command = streamgate(&serve_arguments(&data));
    command.env("STREAMGATE_KEYS", keys);
    let server = Server::spawn(command);
    let (url, file) = (server.url(), file(&dir, EXPORT));
    let file = file.to_str().unwrap();
    let arguments = ["import", "--url", &url, "--from", "session-tracker", file];
    assert!(run(&arguments).failed(1).contains("HTTP 401"));
    let with = |key: &Value| {
        run_with(
            &arguments,
            &[("STREAMGATE_KEY", key["key"].as_str().unwrap())],
        )
    };
    let said = with(&service).failed(1);
    assert!(
        said.contains("HTTP 403") && said.contains("scope admin"),
        "{said}"
    );
    with(&admin).ok();
}

#[test]
fn a_server_that_fails_for_a_while_is_tried_again() {
    let skipped = json!({"index": 1, "user_id": "2", "reason": "store_unavailable", "detail": "x"});
    let one = |skipped: &[Value]| {
        json!({"users": 1, "started": 2, "already_live": 0, "skipped": skipped}).to_string()
    };
    let url = answering(vec![
        ("200 OK", NOTHING.to_owned()),
        ("503 Service Unavailable", "{}".to_owned()),
        // One of the two users is sent once more.
        ("200 OK", one(&[skipped])),
        ("200 OK", one(&[])),
    ]);
    let dir = TempDir::new().unwrap();
    let ran = import(&url, "session-tracker", &file(&dir, EXPORT), &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout
            .starts_with("imported 2 users: 4 sessions started"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr.lines().count(), 2, "{ran:?}");
}

#[test]
fn a_server_that_goes_away_ends_the_import_with_what_to_do() {
    let url = answering(vec![("200 OK", NOTHING.to_owned())]);
    let dir = TempDir::new().unwrap();
    let ran = import(&url, "session-tracker", &file(&dir, EXPORT), &[]);
    assert!(ran.stdout.starts_with("imported 0 users: "), "{ran:?}");
    let said = ran.failed(69);
    assert!(said.contains("trying again in 500ms\n"), "{said}");
    assert!(
        said.contains("hint: run it again: what was imported is not counted twice"),
        "{said}"
    );
}

#[test]
fn a_server_that_does_not_know_imports_or_answers_nonsense_is_told_apart() {
    let dir = TempDir::new().unwrap();
    let file = file(&dir, EXPORT);
    let not_found = json!({"code": "not_found", "detail": "there is no such path"}).to_string();
    let url = answering(vec![("404 Not Found", not_found)]);
    let said = import(&url, "session-tracker", &file, &[]).failed(1);
    assert!(said.contains("older than this command"), "{said}");
    let url = answering(vec![
        ("200 OK", NOTHING.to_owned()),
        ("200 OK", "{}".to_owned()),
    ]);
    let said = import(&url, "session-tracker", &file, &[]).failed(1);
    assert!(said.contains("does not look like a Streamgate"), "{said}");
}
