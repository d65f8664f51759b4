//! Promise 12: a listening player is told of its session's end within a second. On the real
//! process: endings, the end of a lease to the second, and streams that are the heartbeat.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Server, bare};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A lease short enough to wait for.
const LEASE: Duration = Duration::from_secs(5);
const SHORT: [&str; 4] = [
    "--set",
    "policy.lease_s=5",
    "--set",
    "policy.heartbeat_interval_s=1",
];

/// An open event stream.
struct Stream {
    socket: TcpStream,
    read: String,
}

impl Stream {
    async fn open(address: SocketAddr, path: &str) -> Self {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // Without chunks.
        let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Self {
            socket,
            read: String::new(),
        };
        stream.read_past("\r\n\r\n").await;
        stream
    }

    /// Reads up to this text and behind it.
    async fn read_past(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.read.find(end) {
                return Some(self.read.drain(..at + end.len()).collect());
            }
            let mut bytes = [0; 4_096];
            let read = self.socket.read(&mut bytes);
            let read = timeout(PATIENCE, read)
                .await
                .expect("something comes")
                .unwrap();
            if read == 0 {
                return None;
            }
            self.read += std::str::from_utf8(&bytes[..read]).unwrap();
        }
    }

    /// The data of the next event of this name; others are skipped.
    async fn next(&mut self, name: &str) -> Value {
        loop {
            let message = self.read_past("\n\n").await;
            let message = message.unwrap_or_else(|| panic!("the stream ended without {name}"));
            if message.contains(&format!("event: {name}\n")) {
                let data = message.split("\ndata: ").nth(1).unwrap();
                return serde_json::from_str(data).unwrap();
            }
        }
    }
}

fn events(session: &str) -> String {
    format!("{session}/events")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_lease_is_told_within_a_second() {
    let data = TempDir::new().unwrap();
    // The sweep has no part in it.
    let slow_sweep = ["--set", "sweep.interval_s=3600"];
    let server = Server::start_with(data.path(), &[&SHORT[..], &slow_sweep].concat());
    let path = "/v1/users/u/sessions/s";
    assert_eq!(server.call("PUT", path, None).status, 201);
    let mut stream = Stream::open(server.address, &events(path)).await;
    let mut user = Stream::open(server.address, "/v1/users/u/events").await;
    stream.next("session").await;
    // A heartbeat moves the end, and nobody tells the stream.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let beat = server.call("POST", &format!("{path}/heartbeat"), None);
    let watch = Stopwatch::start();
    assert_eq!(beat.status, 200);
    let ended = stream.next("ended").await;
    let after = watch.elapsed();
    assert_eq!(ended["reason"], "expired");
    assert!(after > LEASE - Duration::from_millis(100), "{after:?}");
    assert!(after < LEASE + Duration::from_secs(1), "{after:?}");
    assert_eq!(user.next("ended").await["reason"], "expired");
    assert!(
        watch.elapsed() < LEASE + Duration::from_secs(1),
        "{:?}",
        watch.elapsed()
    );
    assert_eq!(stream.read_past("\n\n").await, None, "the stream has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_hold_is_the_heartbeat_and_a_broken_one_is_none() {
    let data = TempDir::new().unwrap();
    let server = Server::start_with(data.path(), &SHORT);
    let path = "/v1/users/u/sessions/s";
    assert_eq!(server.call("PUT", path, None).status, 201);
    let hold = format!("{path}/events?hold=true");
    let mut stream = Stream::open(server.address, &hold).await;
    let watch = Stopwatch::start();
    while watch.elapsed() < LEASE + Duration::from_secs(2) {
        let renewed = stream.next("renewed").await;
        assert_eq!(renewed["session_id"], "s");
    }
    let live = || server.call("GET", "/v1/users/u/sessions", None).json()["active"].clone();
    assert_eq!(live(), 1);
    let broken = Stopwatch::start();
    drop(stream);
    while live() != 0 {
        assert!(
            broken.elapsed() < LEASE + Duration::from_secs(1),
            "it is live for ever"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It was renewed a heartbeat interval before it broke, at the longest.
    assert!(
        broken.elapsed() > LEASE - Duration::from_secs(2),
        "{:?}",
        broken.elapsed()
    );
}

/// After a power cut, or without a radio, it sends neither FIN nor reset, and its stream is too
/// thin to fill a send buffer.
#[test]
fn a_player_that_vanishes_under_an_open_hold_loses_its_slot() {
    let (data, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut command = bare("unshare");
    command
        .args([
            "--map-root-user",
            "--net",
            "sh",
            "-c",
            include_str!("streams/vanish.sh"),
            "sh",
        ])
        .arg(dir.path())
        .arg(env!("CARGO_BIN_EXE_streamgate"))
        .args(["serve", "--listen", "127.0.0.1:8080", "--data-dir"])
        .arg(data.path())
        .args(SHORT)
        .args([
            "--set",
            "policy.default_limit=1",
            "--set",
            "http.write_timeout_s=1",
        ]);
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let statuses: Vec<&str> = said.lines().collect();
    assert_eq!(
        statuses,
        ["201", "409", "201"],
        "{}\n{}\nthis test needs a network of its own: run it as root, or allow user namespaces",
        String::from_utf8_lossy(&ran.stderr),
        std::fs::read_to_string(dir.path().join("log")).unwrap_or_default(),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endings_are_told_within_a_second_and_none_is_missed() {
    const PLAYERS: usize = 200;
    let data = TempDir::new().unwrap();
    let server = Server::start(data.path());
    let mut streams = Vec::new();
    for player in 0..PLAYERS {
        let path = format!("/v1/users/p{player}/sessions/s");
        assert_eq!(server.call("PUT", &path, None).status, 201);
        let mut stream = Stream::open(server.address, &events(&path)).await;
        stream.next("session").await;
        streams.push(stream);
    }
    let mut slowest = Duration::ZERO;
    for (player, mut stream) in streams.into_iter().enumerate() {
        let path = format!("/v1/users/p{player}");
        let watch = Stopwatch::start();
        assert_eq!(server.call("DELETE", &path, None).status, 204);
        assert_eq!(stream.next("ended").await["reason"], "revoked");
        slowest = slowest.max(watch.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_streams_with_bye_and_a_restart_shows_the_state_first() {
    let data = TempDir::new().unwrap();
    let server = Server::start_with(data.path(), &["--set", "http.drain_s=1"]);
    let path = "/v1/users/u/sessions/s";
    assert_eq!(server.call("PUT", path, None).status, 201);
    let mut stream = Stream::open(server.address, &events(path)).await;
    stream.next("session").await;
    server.signal(Signal::TERM);
    assert_eq!(stream.next("bye").await["reason"], "stopping");
    assert_eq!(stream.read_past("\n\n").await, None, "the stream has ended");
    server.wait();
    let server = Server::start(data.path());
    let mut stream = Stream::open(server.address, &events(path)).await;
    assert_eq!(stream.next("session").await["session_id"], "s");
}
