//! The messages of a start, a reload, a stop, and of a store that is away.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use streamgate_clock::monotonic_us;
use streamgate_testkit::{Redis, Server, free_port, serve_arguments, streamgate};
use tempfile::TempDir;

use super::{Manager, PATIENCE, field};

/// A server that listens is ready, and says where; a stop is announced with the time it may take.
fn starts_and_stops(manager: &Manager) {
    let dir = TempDir::new().unwrap();
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.args(["--set", "http.shutdown_grace_s=7"]);
    let server = Server::spawn(manager.starts(command));
    let opening = manager.next();
    assert_eq!(
        field(&opening, "STATUS"),
        Some("reading the data directory, 0 MiB"),
        "{opening}"
    );
    let ready = manager.next();
    let serving = format!("serving on {}", server.url());
    assert_eq!(field(&ready, "READY"), Some("1"), "{ready}");
    assert_eq!(field(&ready, "STATUS"), Some(serving.as_str()));
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
    server.signal(Signal::TERM);
    let stopping = manager.next();
    assert_eq!(field(&stopping, "STOPPING"), Some("1"), "{stopping}");
    assert_eq!(field(&stopping, "EXTEND_TIMEOUT_USEC"), Some("37000000"));
    assert_eq!(server.wait().status.code(), Some(0));
}

#[test]
fn a_server_is_ready_once_it_listens_and_announces_its_stop() {
    starts_and_stops(&Manager::new());
}

#[test]
fn a_manager_with_an_abstract_socket_is_told_the_same() {
    let name = format!("streamgate-test-{}", std::process::id());
    starts_and_stops(&Manager::abstract_named(&name));
}

#[test]
fn a_start_asks_for_the_time_that_its_directory_takes() {
    let dir = TempDir::new().unwrap();
    // The name is none of the store's: its length counts, and nothing reads it.
    let other = fs::File::create(dir.path().join("other")).unwrap();
    other.set_len(80 << 20).unwrap();
    let manager = Manager::new();
    let _server = Server::spawn(manager.starts(streamgate(&serve_arguments(dir.path()))));
    let opening = manager.next();
    // 30 s, and a second for each 8 MiB.
    assert_eq!(field(&opening, "EXTEND_TIMEOUT_USEC"), Some("40000000"));
    assert_eq!(
        field(&opening, "STATUS"),
        Some("reading the data directory, 80 MiB")
    );
}

#[test]
fn a_server_that_cannot_open_its_store_is_never_ready() {
    let dir = TempDir::new().unwrap();
    let first = Server::start(dir.path());
    let manager = Manager::new();
    let second = manager.starts(streamgate(&serve_arguments(dir.path())));
    let ended = Server::spawn_logging(second).wait();
    assert_eq!(ended.status.code(), Some(74), "{ended:?}");
    // All messages of a process that has ended are there.
    while let Some(message) = manager.next_within(Duration::from_millis(1)) {
        assert!(!message.contains("READY"), "{message}");
    }
    drop(first);
}

#[test]
fn a_reload_is_announced_with_the_time_and_its_end_says_whether_it_was_taken() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("streamgate.toml");
    fs::write(&file, "[policy]\ndefault_limit = 3\n").unwrap();
    let data = dir.path().join("data");
    let mut command = streamgate(&serve_arguments(&data));
    command.arg("--config").arg(&file);
    let manager = Manager::new();
    let server = Server::spawn(manager.starts(command));
    manager.wait_for("READY=1");

    for (settings, refused) in [("default_limit = 0", false), ("default_limit = -1", true)] {
        fs::write(&file, format!("[policy]\n{settings}\n")).unwrap();
        let before_us = monotonic_us();
        server.signal(Signal::HUP);
        let reloading = manager.wait_for("RELOADING=1");
        let at_us: u64 = field(&reloading, "MONOTONIC_USEC")
            .unwrap()
            .parse()
            .unwrap();
        assert!((before_us..=monotonic_us()).contains(&at_us), "{reloading}");
        let reloaded = manager.next();
        assert_eq!(field(&reloaded, "READY"), Some("1"), "{reloaded}");
        let status = field(&reloaded, "STATUS").unwrap();
        assert!(
            status.starts_with("serving on http://127.0.0.1:"),
            "{status}"
        );
        assert_eq!(status.contains("the last reload was refused"), refused);
    }
}

#[test]
fn a_node_without_its_redis_is_ready_for_systemd_and_says_what_it_waits_for() {
    let port = free_port();
    let mut command = streamgate(&["serve", "--listen", "127.0.0.1:0"]);
    let url = format!("store.url=redis://127.0.0.1:{port}");
    command.args(["--set", &url]);
    let manager = Manager::new();
    let server = Server::spawn(manager.starts(command));
    assert_eq!(
        field(&manager.next(), "STATUS"),
        Some("connecting to the store")
    );
    manager.wait_for("READY=1");
    let waiting = manager.wait_for("not ready on http://127.0.0.1:");
    assert_eq!(field(&waiting, "READY"), None, "it is ready already");
    assert_eq!(server.call("GET", "/readyz", None).status, 503);

    let redis = Redis::start_on(port, &[]);
    let serving = manager.wait_for("STATUS=serving");
    assert_eq!(
        field(&serving, "STATUS").unwrap(),
        format!("serving on {}", server.url())
    );
    drop(redis);
    manager.wait_for("STATUS=not ready");
}

#[test]
fn a_socket_that_nobody_reads_or_that_is_gone_does_not_keep_a_server_from_serving() {
    let dir = TempDir::new().unwrap();
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.env("NOTIFY_SOCKET", dir.path().join("gone"));
    let mut server = Server::spawn(command);
    server.wait_for_log("the socket in NOTIFY_SOCKET cannot be used");
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
    assert_eq!(server.terminate().status.code(), Some(0));

    let manager = Manager::new();
    let mut server = Server::spawn(manager.starts(streamgate(&serve_arguments(dir.path()))));
    // The socket takes a few messages (net.unix.max_dgram_qlen); each reload sends two.
    for _ in 0..200 {
        server.signal(Signal::HUP);
        server.wait_for_log("SIGHUP: the settings were read again");
    }
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.contains("a message to it is dropped"));
    assert!(manager.next_within(PATIENCE).is_some());
}
