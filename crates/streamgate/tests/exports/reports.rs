//! Error reports as Sentry gets them.

use serde_json::Value;
use streamgate_testkit::marks::marked_lines;
use streamgate_testkit::{Server, remove_data};
use tempfile::TempDir;

use super::receiver::{Answers, Receiver};

/// The key of the project.
const KEY: &str = "0123456789abcdef0123456789abcdef";

fn reporting(dir: &TempDir, receiver: &Receiver) -> Server {
    let dsn = format!("sentry.dsn=http://{KEY}@{}/7", receiver.address);
    let arguments = ["--set", &dsn, "--set", "sentry.environment=test"];
    Server::start_with(&dir.path().join("data"), &arguments)
}

/// The store that fails ends the process; the reason arrives all the same.
#[test]
fn the_error_that_ends_the_process_is_reported_without_its_callers() {
    let (dir, receiver) = (TempDir::new().unwrap(), Receiver::start(Answers::Well));
    let server = reporting(&dir, &receiver);
    let started = server.call("PUT", "/v1/users/mk7qz-user/sessions/mk7qz-s", None);
    assert_eq!(started.status, 201);
    remove_data(&dir.path().join("data"));
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(74), "{ended:?}");
    assert!(!ended.stderr.contains(KEY));
    let posted = receiver.posted();
    let mut messages = Vec::new();
    for posted in &posted {
        assert!(
            posted.head.starts_with("post /api/7/envelope/ "),
            "{}",
            posted.head
        );
        assert!(
            posted.head.contains(&format!("sentry_key={KEY}")),
            "{}",
            posted.head
        );
        let text = std::str::from_utf8(&posted.body).unwrap();
        assert_eq!(marked_lines(text), [""; 0]);
        // Lines: the header of the envelope, the header of its item, the event.
        let event: Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
        for absent in ["user", "request", "server_name", "breadcrumbs", "contexts"] {
            assert!(event.get(absent).is_none(), "{event}");
        }
        assert_eq!(event["environment"], "test");
        assert_eq!(
            event["release"],
            concat!("streamgate@", env!("CARGO_PKG_VERSION"))
        );
        messages.push(event["message"].as_str().unwrap().to_owned());
    }
    let says = |text: &str| messages.iter().any(|message| message.starts_with(text));
    assert!(
        says("the data directory, or a part of it, is gone"),
        "{messages:?}"
    );
}

#[test]
fn without_errors_nothing_is_sent() {
    let (dir, receiver) = (TempDir::new().unwrap(), Receiver::start(Answers::Well));
    let server = reporting(&dir, &receiver);
    assert_eq!(server.call("GET", "/nothing", None).status, 404);
    assert_eq!(server.terminate().status.code(), Some(0));
    assert_eq!(receiver.posted().len(), 0);
}

#[test]
fn a_receiver_that_does_not_answer_does_not_keep_the_process() {
    let (dir, receiver) = (TempDir::new().unwrap(), Receiver::start(Answers::Never));
    let server = reporting(&dir, &receiver);
    remove_data(&dir.path().join("data"));
    assert_eq!(server.wait().status.code(), Some(74));
}
