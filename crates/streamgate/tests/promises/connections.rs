//! Many connections, slow clients, and clients that never finish.

use std::time::Duration;

use rustix::process::Signal;
use streamgate_testkit::{Client, Server};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::promises::departure;

/// A few short of 10,000 would fit into the usual limit of descriptors by chance; this does not.
const IDLE: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_do_not_disturb() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let mut idle = Vec::with_capacity(IDLE);
    for i in 0..IDLE {
        let stream = TcpStream::connect(server.address).await;
        idle.push(stream.unwrap_or_else(|error| panic!("connection {i}: {error}")));
    }
    let mut client = Client::connect(server.address).await.unwrap();
    for i in 0..100 {
        assert_eq!(
            client.start(&format!("u{i}"), "s").await.unwrap().status,
            201
        );
    }
    // The idle ones are usable, too: the first, the last, one between.
    for i in [0, IDLE / 2, IDLE - 1] {
        idle[i]
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 12];
        idle[i].read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200", "connection {i}");
    }
    let memory = resident_bytes(server.pid());
    assert!(
        memory < 400_000_000,
        "{memory} bytes for {IDLE} idle connections"
    );
    drop(idle);
    assert!(server.terminate().status.success());
}

/// Resident memory of a process, in bytes.
fn resident_bytes(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

/// Sends the beginning of a request and waits until the server ends the connection.
async fn cut_off_after(server: &Server, beginning: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(beginning).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("the server cuts off a request that never ends")
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off() {
    let dir = TempDir::new().unwrap();
    let settings = [
        "--set",
        "http.header_timeout_s=1",
        "--set",
        "http.body_timeout_s=1",
    ];
    let server = Server::start_with(dir.path(), &settings);
    for beginning in [&b""[..], b"GET /heal", b"GET /healthz HTTP/1.1\r\nhost: te"] {
        cut_off_after(&server, beginning).await;
    }
    let slow = b"POST /v1/users/u/sessions HTTP/1.1\r\nhost: test\r\n\
        content-type: application/json\r\ncontent-length: 100\r\n\r\n{\"device_id\":";
    let answer = cut_off_after(&server, slow).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    let mut client = Client::connect(server.address).await.unwrap();
    assert!(
        client.live("u").await.unwrap().is_empty(),
        "nothing was half-applied"
    );
}

/// A stop is what a player sends while it goes away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_carried_out_for_a_client_that_has_left() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    departure::every_call_is_carried_out(&server, 210).await;
    let mut client = Client::connect(server.address).await.unwrap();
    assert!(client.all_live().await.unwrap().is_empty());
    assert!(server.terminate().status.success());
}

/// A process that was stopped handles its timers before its sockets: what came meanwhile is
/// answered, though the connections look idle for longer than they may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_that_came_while_the_process_was_stopped_is_answered() {
    let dir = TempDir::new().unwrap();
    let settings = ["http.header_timeout_s=2", "http.body_timeout_s=2"];
    let settings = settings.map(|setting| ["--set", setting]);
    let server = Server::start_with(dir.path(), settings.as_flattened());
    let mut client = Client::connect(server.address).await.unwrap();
    client.start("u", "s").await.unwrap();
    let beginning = b"POST /v1/users/u/sessions/s/heartbeat HTTP/1.1\r\nhost: localhost\r\n\
                      content-length: 1\r\n\r\n";
    let mut waiting = Vec::new();
    for has_begun in [true, false] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            // The connection is a used one, and half of them are within a request.
            let ask = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
            stream.write_all(ask).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"}") {
                stream.read_buf(&mut answer).await.unwrap();
            }
            if has_begun {
                stream.write_all(beginning).await.unwrap();
            }
            waiting.push((stream, has_begun));
        }
    }
    server.signal(Signal::STOP);
    for (stream, has_begun) in &mut waiting {
        let rest: &[u8] = if *has_begun {
            b"x"
        } else {
            &[beginning, &b"x"[..]].concat()
        };
        stream.write_all(rest).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    server.signal(Signal::CONT);
    for (mut stream, has_begun) in waiting {
        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer).await;
        read.unwrap_or_else(|error| panic!("begun {has_begun}: {error}"));
        assert_eq!(&answer, b"HTTP/1.1 200", "begun {has_begun}");
    }
}
