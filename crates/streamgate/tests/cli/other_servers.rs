//! Commands that call a server which is broken, hostile, or not Streamgate.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use streamgate_testkit::{Ran, run};

/// The address of something that gives every request the same answer.
fn answering(status: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap();
            assert!(head[..read].ends_with(b"\r\n\r\n"));
            // The command may have had enough.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

fn list(url: &str) -> Ran {
    run(&["users", "list", "--url", url])
}

#[test]
fn a_cursor_that_repeats_itself_ends_the_listing() {
    let url = answering("200 OK", r#"{"users":[],"next_cursor":"again"}"#);
    let said = list(&url).failed(1);
    assert!(said.contains("does not look like a Streamgate"), "{said}");
}

#[test]
fn control_characters_in_answers_do_not_reach_the_terminal() {
    let users = r#"{"users":[{"user_id":"a\u001b[2J\u009bb"}],"next_cursor":null}"#;
    let said = list(&answering("200 OK", users)).ok();
    assert!(said.contains("a\u{fffd}[2J\u{fffd}b"), "{said}");
    let problem = r#"{"code":"c\u001b","detail":"d\u001b","errors":[{"field":"f\u001b"}]}"#;
    let said = list(&answering("400 Bad Request", problem)).failed(1);
    assert!(
        said.contains("c\u{fffd}") && !said.contains('\u{1b}'),
        "{said}"
    );
}

#[test]
fn a_page_may_be_as_large_as_facts_make_it() {
    let user = format!(r#"{{"user_id":"{}"}}"#, "a".repeat(12_000));
    let users = vec![user; 1_000].join(",");
    let page = format!(r#"{{"users":[{users}],"next_cursor":null}}"#);
    let said = list(&answering("200 OK", &page)).ok();
    assert_eq!(said.lines().count(), 1 + 1_000);
}
