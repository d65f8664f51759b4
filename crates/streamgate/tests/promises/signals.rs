//! Signals: those that end the server end it in order, and all others leave it running.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Client, Server, bare, serve_arguments, streamgate};
use tempfile::TempDir;

/// A server with one session that only an orderly stop writes.
async fn with_a_session(dir: &TempDir) -> Server {
    let server = Server::start_with(dir.path(), &["--durability", "none"]);
    let mut client = Client::connect(server.address).await.unwrap();
    assert_eq!(client.start("u", "s").await.unwrap().status, 201);
    server
}

async fn has_its_session(dir: &TempDir) -> bool {
    let server = Server::start(dir.path());
    let mut client = Client::connect(server.address).await.unwrap();
    client.live("u").await.unwrap() == ["s"]
}

#[tokio::test]
async fn signals_that_the_server_does_not_use_are_logged_and_ignored() {
    let dir = TempDir::new().unwrap();
    let mut server = with_a_session(&dir).await;
    let pid = server.pid().to_string();
    for (name, signal) in [
        ("SIGUSR1", Signal::USR1),
        ("SIGUSR2", Signal::USR2),
        ("SIGALRM", Signal::ALARM),
        ("SIGVTALRM", Signal::VTALARM),
        ("SIGPROF", Signal::PROF),
        ("SIGIO", Signal::IO),
        ("SIGSTKFLT", Signal::STKFLT),
    ] {
        server.signal(signal);
        server.wait_for_log(name);
    }
    for number in ["34", "35", "50", "64"] {
        send_by_number(number, &pid);
        server.wait_for_log(&format!("real-time signal {number}"));
    }
    // These are not even logged.
    for signal in [Signal::PIPE, Signal::XFSZ, Signal::CHILD, Signal::CONT] {
        server.signal(signal);
    }
    server.signal(Signal::HUP);
    server.wait_for_log("SIGHUP: the settings were read again");
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
    assert_eq!(server.terminate().status.code(), Some(0));
    assert!(has_its_session(&dir).await);
}

/// Sends a signal that has no name.
fn send_by_number(number: &str, pid: &str) {
    let mut shell = bare("sh");
    let sent = shell
        .args(["-c", "kill -$0 $1", number, pid])
        .status()
        .unwrap();
    assert!(sent.success(), "{number}");
}

#[tokio::test]
async fn every_terminating_signal_stops_the_server_in_order() {
    for (name, signal) in [
        ("SIGTERM", Signal::TERM),
        ("SIGINT", Signal::INT),
        ("SIGQUIT", Signal::QUIT),
        ("SIGPWR", Signal::POWER),
        ("SIGXCPU", Signal::XCPU),
    ] {
        let dir = TempDir::new().unwrap();
        let server = with_a_session(&dir).await;
        server.signal(signal);
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "{name}: {ended:?}");
        assert!(ended.stderr.contains(name), "{ended:?}");
        assert!(has_its_session(&dir).await, "{name}");
    }
}

/// Requests that the system has received, but the process has not: it stands still.
#[test]
fn requests_that_arrived_before_sigterm_are_answered() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let connect = |_| {
        let stream = TcpStream::connect(server.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
    };
    let send = |stream: &mut TcpStream, line: &str| {
        write!(stream, "{line} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    };
    let mut idle: Vec<TcpStream> = (0..50).map(connect).collect();
    for stream in &mut idle {
        send(stream, "GET /healthz");
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
    }
    server.signal(Signal::STOP);
    wait_until_stopped(server.pid());
    let in_backlog = (0..100).map(connect);
    let mut streams: Vec<TcpStream> = idle.into_iter().chain(in_backlog).collect();
    for (user, stream) in streams.iter_mut().enumerate() {
        send(stream, &format!("PUT /v1/users/u{user}/sessions/s"));
    }
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    for (user, stream) in streams.iter_mut().enumerate() {
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        assert!(
            answer.starts_with("HTTP/1.1 201 "),
            "{user}: {read:?} {answer}"
        );
    }
    assert_eq!(server.wait().status.code(), Some(0));
}

fn wait_until_stopped(pid: u32) {
    let watch = Stopwatch::start();
    let is_stopped = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.contains("State:\tT")
    };
    while !is_stopped() {
        assert!(watch.elapsed() < Duration::from_secs(30));
        std::thread::yield_now();
    }
}

/// A server whose files may not grow to what its log needs.
#[test]
fn a_file_size_limit_met_at_the_start_is_named_as_the_reason() {
    let dir = TempDir::new().unwrap();
    let serve = streamgate(&serve_arguments(dir.path()));
    let mut limited = bare("sh");
    limited
        .args(["-c", "ulimit -f 4000; exec \"$@\"", "sh"])
        .arg(serve.get_program())
        .args(serve.get_args());
    let ended = limited.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(74), "{said}");
    assert!(said.contains("File too large"), "{said}");
}

/// The same limit, met by a server that runs.
#[test]
fn a_file_size_limit_met_while_serving_ends_the_server_with_its_reason() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let pid = i32::try_from(server.pid()).unwrap();
    prlimit(Pid::from_raw(pid), Resource::Fsize, none).unwrap();
    // It is not answered, or with a failure.
    let start = format!(
        "PUT /v1/users/u/sessions/s HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        server.address
    );
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.write_all(start.as_bytes()).unwrap();
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(74), "{ended:?}");
    assert!(ended.stderr.contains("File too large"), "{ended:?}");
}

/// A store that takes long to open: a server that accepts connections and never answers.
#[test]
fn a_stop_while_the_store_is_opened_is_heard_at_once() {
    for (name, signal) in [
        ("SIGTERM", Signal::TERM),
        ("SIGINT", Signal::INT),
        ("SIGQUIT", Signal::QUIT),
    ] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("store.url=redis://{}", silent.local_addr().unwrap());
        let dir = TempDir::new().unwrap();
        let mut command = streamgate(&serve_arguments(dir.path()));
        command.args([
            "--set",
            &url,
            "--set",
            "store.redis.connect_timeout_ms=60000",
        ]);
        let server = Server::spawn_logging(command);
        // Signals are handled before the first connection.
        let (_connection, _) = silent.accept().unwrap();
        let watch = Stopwatch::start();
        server.signal(signal);
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "{name}: {ended:?}");
        assert!(ended.stderr.contains(name), "{ended:?}");
        assert!(
            watch.elapsed() < Duration::from_secs(30),
            "{:?}",
            watch.elapsed()
        );
    }
}
