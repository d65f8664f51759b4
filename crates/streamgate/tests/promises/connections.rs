//! Many connections, slow clients, and clients that never finish.

use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::support::Server;

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
