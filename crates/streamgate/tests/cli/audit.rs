//! The audit log of the process: there whatever the filter says, off if it is turned off, and counted
//! where it is lost.

use std::fs::{self, File, OpenOptions};

use streamgate_testkit::{Server, eventually, serve_arguments, streamgate};
use tempfile::TempDir;

const USER: &str = "/v1/users/u";

/// What a server with these arguments logs while a user is erased.
fn log_of(arguments: &[&str]) -> String {
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("log");
    let data = dir.path().join("data");
    let arguments = [&serve_arguments(&data)[..], arguments].concat();
    let server = Server::spawn_logging_to(streamgate(&arguments), File::create(&log).unwrap());
    assert_eq!(server.call("DELETE", USER, None).status, 204);
    assert_eq!(server.terminate().status.code(), Some(0));
    fs::read_to_string(log).unwrap()
}

#[test]
fn it_does_not_depend_on_the_filter() {
    for filter in [
        "info",
        "error",
        "off",
        "audit=off",
        "streamgate_server=debug",
    ] {
        let text = log_of(&["--set", &format!("log.filter={filter}")]);
        assert_eq!(text.matches("audited call").count(), 1, "{filter}: {text}");
        assert!(text.contains("address=\"loopback\""), "{text}");
        assert!(!text.contains("target_id"), "{text}");
    }
    let text = log_of(&["--set", "log.audit_user_ids=true"]);
    assert!(text.contains("target_id=\"u\""), "{text}");
}

#[test]
fn it_can_be_turned_off() {
    for filter in ["info", "trace"] {
        let filter = format!("log.filter={filter}");
        let text = log_of(&["--set", "log.audit=false", "--set", &filter]);
        assert!(!text.contains("audited call"), "{text}");
    }
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_no_call_waits() {
    let dir = TempDir::new().unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let command = streamgate(&serve_arguments(dir.path()));
    let server = Server::spawn_logging_to(command, full);
    for _ in 0..50 {
        assert_eq!(server.call("DELETE", USER, None).status, 204);
    }
    eventually("the lines are counted", || {
        server.metric::<u64>("streamgate_log_lines_dropped_total") >= 50
    });
    assert_eq!(server.terminate().status.code(), Some(0));
}
