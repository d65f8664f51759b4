//! `streamgate serve` from its banner to an orderly stop.

use std::net::TcpStream;

use rustix::process::Signal;
use serde_json::json;
use streamgate_testkit::{Ran, Request, Server, bare, run, serve_arguments, streamgate};
use tempfile::TempDir;

const START: &str = "/v1/users/anna/sessions/tv";

/// A start of which the server has the head, and waits for the body.
fn half_a_start(server: &Server) -> (Request, Vec<u8>) {
    let body = json!({ "device_name": "tv" }).to_string().into_bytes();
    (
        Request::begin(server.address, "PUT", START, body.len()),
        body,
    )
}

#[test]
fn a_request_under_way_is_finished_before_the_end() {
    let dir = TempDir::new().unwrap();
    let mut server = Server::start(dir.path());
    let (mut request, body) = half_a_start(&server);
    server.signal(Signal::TERM);
    server.wait_for_log("requests under way may finish");
    request.send(&body);
    let answer = request.answer();
    assert_eq!(answer.status, 201, "{answer:?}");
    let address = server.address;
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("everything is on disk"), "{ended:?}");
    assert!(TcpStream::connect(address).is_err());

    let again = Server::start(dir.path());
    let sessions = again.call("GET", "/v1/users/anna/sessions", None).json();
    assert_eq!(sessions["active"], 1, "what was answered is there");
    assert_eq!(again.metric::<u64>("streamgate_live_sessions"), 1);
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let dir = TempDir::new().unwrap();
    let mut server = Server::start(dir.path());
    let (_request, _) = half_a_start(&server);
    server.signal(Signal::INT);
    server.wait_for_log("told to stop");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().status.code(), Some(130));
}

#[test]
fn requests_that_take_longer_than_the_grace_are_cut_off() {
    let dir = TempDir::new().unwrap();
    let server = Server::start_with(dir.path(), &["--set", "http.shutdown_grace_s=0"]);
    let (_request, _) = half_a_start(&server);
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("cut off"), "{ended:?}");
}

#[test]
fn the_banner_says_where_and_what_to_try() {
    let dir = TempDir::new().unwrap();
    let server = Server::start_with(dir.path(), &["--set", "policy.default_limit=7"]);
    let url = server.url();
    let ended = server.terminate();
    let banner = ended.stdout;
    for part in [
        format!("listening on {url}\n"),
        format!("  curl -X PUT {url}/v1/users/anna/sessions/tv\n"),
        format!("In a browser: {url}/\n"),
        "7 sessions a user".to_owned(),
        dir.path().to_str().unwrap().to_owned(),
    ] {
        assert!(banner.contains(&part), "{part}\nis not in\n{banner}");
    }
    assert!(!ended.stderr.contains("curl"), "the log is another stream");
}

#[test]
fn what_the_banner_says_to_try_works() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    for (method, path, status) in [
        ("PUT", "/v1/users/anna/sessions/tv", 201),
        ("POST", "/v1/users/anna/sessions/tv/heartbeat", 200),
        ("GET", "/v1/users/anna/sessions", 200),
        ("DELETE", "/v1/users/anna/sessions/tv", 204),
        ("GET", "/", 200),
    ] {
        let answer = server.call(method, path, None);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
}

#[test]
fn a_json_log_has_the_address_and_standard_output_nothing() {
    let dir = TempDir::new().unwrap();
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.args(["--log-format", "json"]);
    let mut server = Server::spawn_logging(command);
    let line = server.wait_for_log("\"listening on http://");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["log.level"], "INFO");
    let ended = server.terminate();
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), ""));
}

#[test]
fn a_port_that_is_taken_is_said_so() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let address = server.address.to_string();
    let other = TempDir::new().unwrap();
    let mut arguments = serve_arguments(other.path());
    arguments[2] = &address;
    let said = run(&arguments).failed(1);
    assert!(
        said.contains(&address) && said.contains("--listen"),
        "{said}"
    );
}

/// A server whose process may have so many open files.
fn with_open_files(files: u32, dir: &TempDir) -> std::process::Command {
    let mut command = bare("sh");
    let script = format!("ulimit -n {files} && exec \"$@\"");
    let program = env!("CARGO_BIN_EXE_streamgate");
    command.args(["-c", &script, "sh", program]);
    command.args(serve_arguments(dir.path()));
    command
}

#[test]
fn a_limit_of_open_files_that_allows_few_connections_is_warned_of() {
    let dir = TempDir::new().unwrap();
    let mut server = Server::spawn_logging(with_open_files(256, &dir));
    let line = server.wait_for_log("far fewer connections than http.max_connections");
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains("connections=192"), "{line}");
    server.wait_until_it_listens();
    assert!(server.terminate().status.success());
}

#[test]
fn a_limit_of_open_files_that_no_server_can_work_with_is_an_error() {
    let dir = TempDir::new().unwrap();
    let output = with_open_files(64, &dir).output().unwrap();
    let said = Ran::from(output).failed(1);
    assert!(said.contains("the limit of open files is 64"), "{said}");
    assert!(said.contains("LimitNOFILE"), "{said}");
}

#[test]
fn a_low_limit_of_open_files_is_enough_for_few_connections() {
    let dir = TempDir::new().unwrap();
    let mut command = with_open_files(96, &dir);
    command.args(["--set", "http.max_connections=32"]);
    let server = Server::spawn(command);
    assert_eq!(server.call("PUT", START, None).status, 201);
    assert!(server.terminate().status.success());
}
