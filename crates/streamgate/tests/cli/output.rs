//! Standard output that cannot be written: an error of every command that prints its result.

use std::fs::{File, OpenOptions};
use std::io::pipe;
use std::process::{Output, Stdio};

use streamgate_testkit::{Server, streamgate};
use tempfile::TempDir;

fn full_device() -> File {
    let full = OpenOptions::new().write(true).open("/dev/full");
    full.expect("Linux has it")
}

fn printing_to(stdout: impl Into<Stdio>, arguments: &[&str]) -> Output {
    let mut command = streamgate(arguments);
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn();
    child.unwrap().wait_with_output().unwrap()
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_of_every_command() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(&dir.path().join("served"));
    let url = server.url();
    server.call("PUT", "/v1/users/anna/sessions/tv", None);
    let stopped = dir.path().join("stopped");
    assert!(Server::start(&stopped).terminate().status.success());
    let stopped = stopped.to_str().unwrap();
    let at = ["--url", &url];
    for arguments in [
        &["key", "new"][..],
        &["key", "new", "--json"],
        &["openapi"],
        &["openapi", "--dialect", "stream-log"],
        &["config", "default"],
        &["config", "reference"],
        &["config", "show"],
        &["config", "check"],
        &["users", "list", at[0], at[1]],
        &["users", "list", "--json", at[0], at[1]],
        &["users", "set-limit", "anna", "3", at[0], at[1]],
        &["users", "show", "anna", at[0], at[1]],
        &["sessions", "list", at[0], at[1]],
        &["sessions", "list", "--user", "anna", at[0], at[1]],
        &["sessions", "stop", "anna", "tv", at[0], at[1]],
        &["top", "--once", at[0], at[1]],
        &["top", "--json", at[0], at[1]],
        &["health", at[0], at[1]],
        &["store", "check", "--data-dir", stopped],
        &["store", "stats", "--data-dir", stopped],
        &["--help"],
        &["serve", "--help"],
        &["--version"],
    ] {
        let ended = printing_to(full_device(), arguments);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(
            said.contains("error: cannot write to standard output: No space left on device"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    for arguments in [&["openapi"][..], &["config", "default"], &["--help"]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let ended = printing_to(writer, arguments);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(
            (ended.status.code(), &*said),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn key_new_fails_if_its_output_cannot_be_written() {
    for arguments in [&["key", "new"][..], &["key", "new", "--json"]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let ended = printing_to(writer, arguments);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("this key is lost"), "{said}");
    }
    // The key itself goes to standard error; its hash must not be left without it.
    let mut command = streamgate(&["key", "new"]);
    let ended = command.stderr(full_device()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stdout.is_empty(), "{ended:?}");
}
