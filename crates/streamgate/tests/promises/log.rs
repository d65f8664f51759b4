//! Promise 9 for the log, on the real binary: no call, no signal and no exit code depends on
//! standard error.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, PipeReader, Write as _, pipe};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Client, Server, serve_arguments, streamgate};
use tempfile::TempDir;

use crate::promises::disk_faults::{fill, in_its_namespace, on_a_volume, serve_command};

/// Far less than a stalled sink would take, and more than a loaded machine needs.
const SOON: Duration = Duration::from_secs(20);

/// Nothing listens there.
const NO_REDIS: [&str; 2] = ["--set", "store.url=redis://127.0.0.1:1"];

fn full_device() -> Stdio {
    let full = OpenOptions::new().write(true).open("/dev/full");
    full.expect("Linux has it").into()
}

/// A server whose log is not read, and the reading end of its pipe.
fn unread(dir: &TempDir, arguments: &[&str]) -> (Server, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    let arguments = [&serve_arguments(dir.path())[..], arguments].concat();
    (
        Server::spawn_logging_to(streamgate(&arguments), writer),
        reader,
    )
}

/// A server whose log pipe has been closed by its reader.
fn abandoned(dir: &TempDir, arguments: &[&str]) -> Server {
    let (server, reader) = unread(dir, arguments);
    drop(reader);
    server
}

fn lines_dropped(server: &Server) -> u64 {
    server.metric("streamgate_log_lines_dropped_total")
}

#[test]
fn a_closed_log_pipe_changes_no_exit_code() {
    let dir = TempDir::new().unwrap();
    let server = abandoned(&dir, &[]);
    assert_eq!(server.call("GET", "/healthz", None).status, 200);
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_log_on_a_full_disk_stops_no_call_and_its_lines_are_counted() {
    let dir = TempDir::new().unwrap();
    let mut arguments = serve_arguments(dir.path());
    arguments.extend(["--set", "log.filter=debug"]);
    let server = Server::spawn_logging_to(streamgate(&arguments), full_device());
    let mut client = Client::connect(server.address).await.unwrap();
    for i in 0..500 {
        let started = client.start(&format!("u{i}"), "s").await.unwrap();
        assert_eq!(started.status, 201, "{started:?}");
    }
    // The writer thread may still be busy; what it counts arrives all the same.
    let watch = Stopwatch::start();
    while lines_dropped(&server) < 500 {
        assert!(watch.elapsed() < SOON, "{}", lines_dropped(&server));
    }
    assert_eq!(server.terminate().status.code(), Some(0));
}

/// The log on a real volume that fills up and gets space again; the data directory is elsewhere.
#[tokio::test]
async fn a_log_on_a_full_volume_goes_on_when_it_has_space_again() {
    let dir = TempDir::new().unwrap();
    let (data, logs) = (dir.path().join("data"), dir.path().join("logs"));
    std::fs::create_dir(&logs).unwrap();
    let log = logs.join("streamgate.log");
    let serve = serve_command(&data);
    let script = format!("exec {serve} --set log.filter=debug 2>>{}", log.display());
    let server = Server::spawn(on_a_volume("8m", &logs, &script));
    let log = in_its_namespace(&server, &log);
    let filler = in_its_namespace(&server, &logs.join("filler"));
    fill(&filler);
    let mut client = Client::connect(server.address).await.unwrap();
    let mut calls = 0..;
    let watch = Stopwatch::start();
    while lines_dropped(&server) < 500 {
        let user = format!("u{}", calls.next().unwrap());
        let started = client.start(&user, "s").await.unwrap();
        assert_eq!(started.status, 201, "{started:?}");
        assert!(watch.elapsed() < SOON, "{}", lines_dropped(&server));
    }
    let full_len = std::fs::metadata(&log).unwrap().len();
    std::fs::remove_file(filler).unwrap();
    while std::fs::metadata(&log).unwrap().len() == full_len {
        let user = format!("u{}", calls.next().unwrap());
        assert_eq!(client.start(&user, "s").await.unwrap().status, 201);
        assert!(watch.elapsed() < SOON, "nothing is logged");
    }
    assert_eq!(server.terminate().status.code(), Some(0));
}

#[test]
fn a_503_without_a_log_is_a_503() {
    let dir = TempDir::new().unwrap();
    let server = abandoned(&dir, &NO_REDIS);
    let answer = server.call("PUT", "/v1/users/u/sessions/s", None);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(server.call("GET", "/healthz", None).status, 200);
    assert_eq!(server.terminate().status.code(), Some(0));
}

#[tokio::test]
async fn the_final_write_of_durability_none_does_not_need_a_log() {
    let dir = TempDir::new().unwrap();
    let server = abandoned(&dir, &["--durability", "none"]);
    let mut client = Client::connect(server.address).await.unwrap();
    for user in ["a", "b", "c", "d", "e"] {
        assert_eq!(client.start(user, "s").await.unwrap().status, 201);
    }
    drop(client);
    assert_eq!(server.terminate().status.code(), Some(0));
    let again = Server::start(dir.path());
    let mut client = Client::connect(again.address).await.unwrap();
    assert_eq!(client.all_live().await.unwrap().len(), 5);
}

/// The queue and the pipe together hold a megabyte; 5,000 calls at `debug` log more.
#[tokio::test]
async fn an_unread_log_pipe_delays_no_call_and_no_stop() {
    let dir = TempDir::new().unwrap();
    let filter = ["--set", "log.filter=trace"];
    let (server, _unread) = unread(&dir, &filter);
    let mut client = Client::connect(server.address).await.unwrap();
    for i in 0..5_000 {
        let user = format!("u{}", i % 100);
        let answer = client.start(&user, "s").await.unwrap();
        assert!(answer.status < 300, "{answer:?}");
    }
    assert!(lines_dropped(&server) > 0, "else this proves nothing");
    assert_eq!(server.call("GET", "/healthz", None).status, 200);
    drop(client);
    let watch = Stopwatch::start();
    assert_eq!(server.terminate().status.code(), Some(0));
    assert!(watch.elapsed() < SOON, "{:?}", watch.elapsed());
}

#[test]
fn errors_of_a_failed_start_do_not_change_its_exit_code() {
    let dir = TempDir::new().unwrap();
    let serve = serve_arguments(dir.path());
    let with = |more: &[&'static str]| [&serve[..], more].concat();
    let _running = Server::start(dir.path());
    for (arguments, code) in [
        (with(&["--set", "policy.lease_s=1"]), 2),
        (with(&["--nonsense"]), 2),
        (with(&[]), 74),
    ] {
        let mut command = streamgate(&arguments);
        let status = command.stderr(full_device()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
        // And a full one that is not read.
        let (_unread, mut writer) = pipe().unwrap();
        let capacity = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
        writer.write_all(&vec![b'x'; capacity]).unwrap();
        let watch = Stopwatch::start();
        let status = streamgate(&arguments).stderr(writer).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
        assert!(watch.elapsed() < SOON, "{:?}", watch.elapsed());
    }
}

/// Standard output carries the banner, and need not be read.
#[test]
fn a_banner_that_cannot_be_written_stops_no_server() {
    let dir = TempDir::new().unwrap();
    let (unread, mut stalled) = pipe().unwrap();
    let capacity = rustix::pipe::fcntl_getpipe_size(&stalled).unwrap();
    stalled.write_all(&vec![b'x'; capacity]).unwrap();
    for stdout in [full_device(), stalled.into()] {
        let mut command = streamgate(&serve_arguments(dir.path()));
        command.args(["--set", "log.filter=debug"]);
        let mut child = command
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        // It says so once it has opened its store and can be told to stop.
        let opened = log.find(|line| line.as_ref().unwrap().contains("signals are handled"));
        assert!(opened.is_some());
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    drop(unread);
}

/// A store that is away fails every call for the same cause.
#[tokio::test]
async fn failures_that_repeat_are_a_line_a_second_with_their_number() {
    const CALLS: u64 = 2_000;
    let dir = TempDir::new().unwrap();
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.args(NO_REDIS);
    let server = Server::spawn(command);
    let mut client = Client::connect(server.address).await.unwrap();
    let watch = Stopwatch::start();
    for i in 0..CALLS {
        let answer = client.start(&format!("u{i}"), "s").await.unwrap();
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    drop(client);
    let ended = server.terminate();
    let seconds = watch.elapsed().as_secs() + 1;
    let of_calls: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.contains("status=503"))
        .collect();
    let told: u64 = of_calls.iter().map(|line| times(line)).sum();
    assert_eq!(told, CALLS, "{}", ended.stderr);
    let causes: BTreeSet<&str> = of_calls.iter().map(|line| cause(line)).collect();
    assert!(causes.len() <= 4, "{causes:?}");
    // Of each cause the first line, one a second, and the last.
    let most = causes.len() as u64 * (seconds + 2);
    assert!(
        of_calls.len() as u64 <= most,
        "{} lines in {seconds} s:\n{}",
        of_calls.len(),
        ended.stderr
    );
}

/// What failed: the end of a line, in a sum with escaped quotes.
fn cause(line: &str) -> &str {
    let (_, cause) = line.split_once("error=").unwrap();
    cause.trim_matches(['"', '\\'])
}

/// How many calls a line stands for.
fn times(line: &str) -> u64 {
    line.split_once("repeated=").map_or(1, |(_, after)| {
        let digits = after.split(' ').next().unwrap();
        digits.parse().unwrap()
    })
}

#[test]
fn the_sums_are_json_where_the_log_is() {
    let dir = TempDir::new().unwrap();
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.args(NO_REDIS).args(["--log-format", "json"]);
    let mut server = Server::spawn_logging(command);
    let line: Value = serde_json::from_str(&server.wait_for_log("listening on")).unwrap();
    let (_, address) = line["message"]
        .as_str()
        .unwrap()
        .split_once("http://")
        .unwrap();
    server.address = address.parse().unwrap();
    for _ in 0..3 {
        assert_eq!(server.call("GET", "/v1/users/u", None).status, 503);
    }
    let sum = server.wait_for_log("repeated");
    let sum: Value = serde_json::from_str(&sum).unwrap();
    assert!(sum["labels.repeated"].as_u64().unwrap() >= 1, "{sum}");
    assert!(
        sum["labels.line"].as_str().unwrap().contains("status=503"),
        "{sum}"
    );
}
