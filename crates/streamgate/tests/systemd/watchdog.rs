//! The watchdog of the real process. Threads of the runtime that stand still are tested beside the
//! code, `serve/systemd/watchdog/tests.rs`.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Request, Server, serve_arguments, streamgate, tampered};
use tempfile::TempDir;

use super::{Manager, PATIENCE, field};

/// `WatchdogSec=`.
const INTERVAL: Duration = Duration::from_secs(1);

fn watched(manager: &Manager, command: Command) -> Command {
    let mut command = manager.starts(command);
    command.env("WATCHDOG_USEC", INTERVAL.as_micros().to_string());
    command
}

/// Whether the watchdog would have ended the process within the patience: no message came in
/// twice the interval.
fn starves(manager: &Manager) -> bool {
    let waited = Stopwatch::start();
    while waited.elapsed() < PATIENCE {
        match manager.next_within(2 * INTERVAL) {
            None => return true,
            Some(message) => assert!(!message.contains("STOPPING"), "{message}"),
        }
    }
    false
}

#[test]
fn a_server_that_serves_feeds_the_watchdog_more_often_than_twice_an_interval() {
    let dir = TempDir::new().unwrap();
    let manager = Manager::new();
    let server = Server::spawn(watched(&manager, streamgate(&serve_arguments(dir.path()))));
    manager.wait_for("READY=1");
    let watch = Stopwatch::start();
    let fed = std::iter::from_fn(|| Some(manager.next()))
        .filter(|message| message == "WATCHDOG=1\n")
        .take(8)
        .count();
    // Four an interval; a loaded machine delays them, but must not make them more.
    assert_eq!(fed, 8);
    assert!(watch.elapsed() >= INTERVAL, "{:?}", watch.elapsed());
    assert_eq!(server.terminate().status.code(), Some(0));
}

#[test]
fn a_process_that_stands_still_starves_the_watchdog_and_feeds_it_once_it_goes_on() {
    let dir = TempDir::new().unwrap();
    let manager = Manager::new();
    let server = Server::spawn(watched(&manager, streamgate(&serve_arguments(dir.path()))));
    manager.wait_for("WATCHDOG=1");
    server.signal(Signal::STOP);
    assert!(starves(&manager));
    server.signal(Signal::CONT);
    manager.wait_for("WATCHDOG=1");
}

#[test]
fn a_sync_of_the_log_that_does_not_return_starves_the_watchdog() {
    let dir = TempDir::new().unwrap();
    // A directory that is there already: opening it syncs nothing that counts here.
    assert_eq!(Server::start(dir.path()).terminate().status.code(), Some(0));
    let manager = Manager::new();
    let server = streamgate(&serve_arguments(dir.path()));
    let stuck = tampered("fdatasync:delay_enter=10s:when=1+", &server);
    let mut server = Server::spawn(watched(&manager, stuck));
    manager.wait_for("WATCHDOG=1");
    // Without a change there is no sync, and the process is healthy.
    assert!(manager.next_within(2 * INTERVAL).is_some());
    let start = "/v1/users/ann/sessions/tv";
    let mut request = Request::begin(server.address, "PUT", start, 2);
    request.send(b"{}");
    assert!(starves(&manager), "the stuck sync is not noticed");
    let line = server.wait_for_log("a part of the process stands still");
    assert!(line.contains("commit writer"), "{line}");
    // The runtime answers meanwhile: a probe of HTTP alone would find nothing.
    assert_eq!(server.call("GET", "/healthz", None).status, 200);
}

#[test]
fn the_watchdog_of_another_process_or_with_a_wrong_interval_is_not_fed() {
    let dir = TempDir::new().unwrap();
    for (variable, value, warns) in [("WATCHDOG_PID", "1", false), ("WATCHDOG_USEC", "30s", true)] {
        let manager = Manager::new();
        let mut command = watched(&manager, streamgate(&serve_arguments(dir.path())));
        command.env(variable, value);
        let server = Server::spawn(command);
        manager.wait_for("READY=1");
        let more = manager.next_within(2 * INTERVAL);
        assert!(more.is_none(), "{more:?}");
        let ended = server.terminate();
        let warned = ended.stderr.contains("WATCHDOG_USEC is \"30s\"");
        assert_eq!(warned, warns, "{}", ended.stderr);
        assert_eq!(field(&manager.next(), "STOPPING"), Some("1"));
    }
}
