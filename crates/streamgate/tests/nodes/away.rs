//! A store that is unavailable when a node starts: the node answers 503 and serves once the store
//! is there. An error that only new settings can mend stops the start.

use std::net::Ipv4Addr;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::{Flavour, Redis, Server, pause, run, serve_arguments};
use tempfile::TempDir;
use tokio::net::TcpSocket;

/// How long a loaded machine may take until a node has found its store.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the log says once, at the start.
const AWAY: &str = "the store cannot be used yet";

/// What it says when that is over.
const THERE: &str = "the store can be used now";

/// A port without a listener, kept for a server that comes later: connections are refused.
struct Reserved {
    port: u16,
    _socket: TcpSocket,
}

impl Reserved {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // So that the server may bind it, too. It does the same.
        socket.set_reuseaddr(true).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self {
            port: socket.local_addr().unwrap().port(),
            _socket: socket,
        }
    }
}

/// A node lives, and says to its balancer and in every answer that it cannot serve.
fn refuses(node: &Server) {
    assert_eq!(node.call("GET", "/healthz", None).status, 200);
    for (method, path, status) in [
        ("GET", "/readyz", 503),
        ("PUT", "/v1/users/u/sessions/s", 503),
        ("POST", "/v1/users/u/sessions/s/heartbeat", 503),
        ("GET", "/v1/users/u/sessions", 503),
        ("GET", "/v1/sessions", 503),
        // A dialect has a word of its own for it.
        ("POST", "/compat/session-tracker/add-session?user_id=u", 500),
    ] {
        let answer = node.call(method, path, None);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(answer.header("retry-after"), "1", "{method} {path}");
    }
}

/// Waits until a node serves, without doing anything about it.
fn serves_by_itself(node: &mut Server) {
    let waited = Stopwatch::start();
    while node.call("PUT", "/v1/users/u/sessions/s", None).status != 201 {
        assert!(waited.elapsed() < PATIENCE, "it does not serve");
        pause();
    }
    assert_eq!(node.call("GET", "/readyz", None).status, 200);
    node.wait_for_log(THERE);
}

/// Stops a node, and gives its log. What it says in the first minute it says once.
fn log_of(node: Server) -> String {
    let ended = node.terminate();
    assert!(ended.status.success(), "{ended:?}");
    for once in [AWAY, THERE] {
        assert_eq!(ended.stderr.matches(once).count(), 1, "{ended:?}");
    }
    ended.stderr
}

#[test]
fn a_node_that_starts_before_its_redis_serves_when_redis_does() {
    let kept = Reserved::new();
    let dir = TempDir::new().unwrap();
    let address = format!("127.0.0.1:{}", kept.port);
    let url = format!("store.url=redis://:do-not-tell@{address}");
    let mut node = Server::start_with(dir.path(), &["--set", &url]);
    let said = node.wait_for_log(AWAY);
    for part in ["WARN", &address, "refused", "[store]"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    refuses(&node);
    let _redis = Redis::start_on(kept.port, &["--requirepass", "do-not-tell"]);
    serves_by_itself(&mut node);
    let log = log_of(node);
    assert!(!log.contains("do-not-tell"), "{log}");
}

#[test]
fn a_node_without_its_store_stops_at_sigterm() {
    let kept = Reserved::new();
    let dir = TempDir::new().unwrap();
    let url = format!("store.url=redis+cluster://127.0.0.1:{}", kept.port);
    let mut node = Server::start_with(dir.path(), &["--set", &url]);
    node.wait_for_log(AWAY);
    refuses(&node);
    let ended = node.terminate();
    assert!(ended.status.success(), "{ended:?}");
}

#[cfg(feature = "dynamodb")]
#[test]
fn a_node_that_starts_before_its_table_serves_when_the_table_does() {
    use streamgate_testkit::{Process, Ran, dynoxide_on, streamgate};

    use crate::nodes::dynamodb::as_aws;

    let kept = Reserved::new();
    let dir = TempDir::new().unwrap();
    let endpoint = format!("http://127.0.0.1:{}", kept.port);
    let setting = format!("store.dynamodb.endpoint={endpoint}");
    let arguments = [
        &serve_arguments(dir.path())[..],
        &["--set", "store.url=dynamodb://sessions", "--set", &setting],
    ]
    .concat();
    let mut node = Server::spawn(as_aws(streamgate(&arguments)));
    let said = node.wait_for_log(AWAY);
    for part in ["WARN", "sessions", "eu-west-1", "refused"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    refuses(&node);
    let _emulator = Process::start_on(kept.port, dynoxide_on).expect("the port was kept for it");
    let create = ["store", "create-table", "sessions", "--endpoint", &endpoint];
    Ran::from(as_aws(streamgate(&create)).output().unwrap()).ok();
    serves_by_itself(&mut node);
    log_of(node);
}

#[test]
fn a_failed_redis_login_stops_the_start_and_shows_no_password() {
    let redis = Redis::start(
        Flavour::Redis,
        &[
            "--user",
            "reader",
            "on",
            ">do-not-tell",
            "~*",
            "+@read",
            "--requirepass",
            "do-not-tell",
        ],
    );
    let dir = TempDir::new().unwrap();
    for (who, why) in [
        (":do-not-tell-either@", "authentication failed"),
        ("nobody:do-not-tell@", "authentication failed"),
        ("", "Authentication required"),
        ("reader:do-not-tell@", "no permissions"),
    ] {
        let url = format!("store.url=redis://{who}127.0.0.1:{}", redis.port);
        let arguments = [&serve_arguments(dir.path())[..], &["--set", &url]].concat();
        let said = run(&arguments).failed(74);
        for part in [why, "127.0.0.1", "hint: check store.url"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("do-not-tell"), "{said}");
    }
}
