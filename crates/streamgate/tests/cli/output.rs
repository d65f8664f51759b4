//! Results that cannot be written: an error of the command.

use std::fs::{self, File, OpenOptions};
use std::io::pipe;
use std::process::{Command, Output, Stdio};

use streamgate_testkit::{Ran, Server, bare, streamgate, tampered};
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

/// Every command that prints a result, but `store create-table`, which needs a DynamoDB.
#[test]
fn a_result_that_cannot_be_written_is_an_error_of_the_command() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(&dir.path().join("served"));
    let url = server.url();
    server.call("PUT", "/v1/users/anna/sessions/tv", None);
    let stopped = dir.path().join("stopped");
    assert!(Server::start(&stopped).terminate().status.success());
    let stopped = stopped.to_str().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (backup, restored, export) = (path("backup"), path("restored"), path("export.json"));
    let user = r#"{"Item":{"user_id":{"N":"1"},"active_sessions":{"N":"2"}}}"#;
    fs::write(&export, user).unwrap();
    let at = ["--url", &url];
    let bench = [
        &["bench", "--target", &url][..],
        &["--users", "1", "--connections", "1"],
        &["--warm-up", "0", "--duration", "0.1"],
    ];
    let import = ["import", "--from", "session-tracker", &export, at[0], at[1]];
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
        &["users", "set-plan", "anna", "--clear", at[0], at[1]],
        &["users", "show", "anna", at[0], at[1]],
        &["sessions", "list", at[0], at[1]],
        &["sessions", "list", "--user", "anna", at[0], at[1]],
        &["sessions", "stop", "anna", "tv", at[0], at[1]],
        &["users", "delete", "anna", at[0], at[1]],
        &import,
        &bench.concat(),
        &["top", "--once", at[0], at[1]],
        &["top", "--json", at[0], at[1]],
        &["health", at[0], at[1]],
        &["store", "check", "--data-dir", stopped],
        &["store", "stats", "--data-dir", stopped],
        &["store", "repair", "--data-dir", stopped],
        &["store", "backup", &backup, at[0], at[1]],
        &["store", "restore", &backup, "--data-dir", &restored],
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

/// On a machine that is too busy to run the thread that writes: here each write waits 2 s.
#[test]
fn an_error_that_is_written_late_is_not_lost() {
    let command = streamgate(&["config", "check", "--set", "policy.lease_s=1"]);
    let mut late = tampered("write:delay_enter=2s", &command);
    let said = Ran::from(late.output().unwrap()).failed(1);
    assert!(said.contains("policy.lease_s"), "{said}");
}

/// A command whose files may have so many blocks of 512 bytes.
fn with_file_size(blocks: u32, arguments: &[&str]) -> Command {
    let command = streamgate(arguments);
    let mut limited = bare("sh");
    let script = format!("ulimit -f {blocks} && exec \"$@\"");
    limited
        .args(["-c", &script, "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    limited
}

#[test]
fn a_result_beyond_the_limit_of_file_sizes_is_an_error_of_the_command() {
    let dir = TempDir::new().unwrap();
    for (blocks, arguments) in [
        // A part of it is written.
        (1, &["config", "default"][..]),
        (1, &["openapi"]),
        (0, &["key", "new"]),
        (0, &["--help"]),
    ] {
        let mut command = with_file_size(blocks, arguments);
        command.stdout(File::create(dir.path().join("result")).unwrap());
        let said = Ran::from(command.output().unwrap()).failed(1);
        assert!(
            said.contains("error: cannot write to standard output: File too large"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn a_file_beyond_the_limit_of_file_sizes_is_an_error_of_the_command() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(&dir.path().join("served"));
    let url = server.url();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (backup, refused, page) = (path("backup"), path("refused"), path("page.html"));
    let stopped = path("stopped");
    assert!(Server::start(stopped.as_ref()).terminate().status.success());
    let write_backup = ["store", "backup", &backup, "--url", &url];
    let written = streamgate(&write_backup).output().unwrap();
    assert!(written.status.success(), "{written:?}");
    let bench = [
        &["bench", "--target", &url, "--html", &page][..],
        &["--users", "1", "--connections", "1"],
        &["--warm-up", "0", "--duration", "0.1"],
    ];
    for (code, arguments) in [
        (1, &bench.concat()[..]),
        (74, &["store", "backup", &refused, "--url", &url]),
        (
            74,
            &["store", "restore", &backup, "--data-dir", &path("restored")],
        ),
        (74, &["store", "repair", "--data-dir", &stopped]),
    ] {
        let said = Ran::from(with_file_size(0, arguments).output().unwrap()).failed(code);
        assert!(said.contains("File too large"), "{arguments:?}: {said}");
    }
}
