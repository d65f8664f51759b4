//! Over a real socket: clients that are slow, or many.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use rustix::net::sockopt::tcp_user_timeout;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use streamgate_clock::Stopwatch;
use streamgate_server::HttpSettings;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::support::Service;
use crate::support::running::{Over, Running, over_plain_and_tls, read_all, read_until};

/// Waits until the value of a metric is so.
async fn eventually(service: &Service, metric: &str, is_so: impl Fn(&str) -> bool) {
    let become_so = async {
        while !is_so(&service.metric(metric).await) {
            tokio::task::yield_now().await;
        }
    };
    let waited = timeout(Duration::from_secs(20), become_so).await;
    waited.unwrap_or_else(|_| panic!("{metric} does not become so"));
}

const QUICK: Duration = Duration::from_millis(50);

async fn a_connection_serves_one_request_after_the_other(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let mut stream = running.connect().await;
    for _ in 0..3 {
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let answer = read_until(&mut stream, "\"ok\"}").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    assert_eq!(
        running.service.metric("streamgate_http_connections").await,
        "1"
    );
}

async fn a_head_that_never_ends_is_cut_off(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            header_timeout: QUICK,
            ..HttpSettings::default()
        },
    )
    .await;
    let mut slow = running.connect().await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ")
        .await
        .unwrap();
    let answer = read_all(&mut slow).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let mut idle = running.connect().await;
    assert_eq!(read_all(&mut idle).await, "");
}

async fn a_connection_stays_open_for_the_header_timeout_after_its_last_answer(over: Over) {
    let patience = Duration::from_secs(6);
    let pause = patience / 3;
    let running = Running::over(
        over,
        HttpSettings {
            header_timeout: patience,
            ..HttpSettings::default()
        },
    )
    .await;
    let mut stream = running.connect().await;
    let began = Stopwatch::start();
    while began.elapsed() < patience + pause {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let answer = read_until(&mut stream, "\"ok\"}").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        tokio::time::sleep(pause).await;
    }
    let left = Stopwatch::start();
    assert_eq!(read_all(&mut stream).await, "");
    assert!(left.elapsed() >= patience - 2 * pause, "{left:?}");
}

/// The end of a streamed answer is the beginning of the client's turn, as that of any other.
async fn a_connection_that_is_idle_after_a_streamed_answer_is_closed(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            header_timeout: QUICK,
            ..HttpSettings::default()
        },
    )
    .await;
    for half_a_head in ["", "GET /healthz HTTP/1.1\r\nx-slow: "] {
        for method in ["GET", "HEAD"] {
            let mut stream = running.connect().await;
            let list =
                format!("{method} /compat/stream-requests/getallusers HTTP/1.1\r\nhost: x\r\n\r\n");
            stream.write_all(list.as_bytes()).await.unwrap();
            let answer = read_until(&mut stream, "\r\n\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            let is_streamed = answer.contains("transfer-encoding: chunked");
            assert_eq!(is_streamed, method == "GET", "{answer}");
            stream.write_all(half_a_head.as_bytes()).await.unwrap();
            let closed = timeout(Duration::from_secs(20), read_all(&mut stream));
            closed.await.expect("the connection is closed");
        }
    }
}

async fn a_request_under_way_is_no_idle_connection(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            header_timeout: QUICK,
            body_timeout: QUICK * 4,
            ..HttpSettings::default()
        },
    )
    .await;
    let head = "POST /v1/users/u/sessions HTTP/1.1\r\nhost: x\r\n\
                 content-type: application/json\r\ncontent-length: 20\r\n\r\n{";
    let mut stream = running.sent(head).await;
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

async fn a_body_that_never_comes_is_408_and_the_connection_is_closed(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            body_timeout: QUICK,
            ..HttpSettings::default()
        },
    )
    .await;
    let head = "POST /v1/users/u/sessions HTTP/1.1\r\nhost: x\r\n\
                 content-type: application/json\r\ncontent-length: 20\r\n\r\n{\"device_id\"";
    let mut stream = running.sent(head).await;
    let answer = read_all(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{answer}"
    );
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
}

async fn a_head_has_a_bound_of_16_kib_unless_set_otherwise(over: Over) {
    for (head_max_bytes, kib, is_answered) in [
        (HttpSettings::default().head_max_bytes, 15, true),
        (HttpSettings::default().head_max_bytes, 17, false),
        (HttpSettings::default().head_max_bytes, 256, false),
        (64 * 1024, 60, true),
        (HttpSettings::HEAD_MIN_BYTES, 9, false),
    ] {
        let running = Running::over(
            over,
            HttpSettings {
                head_max_bytes,
                ..HttpSettings::default()
            },
        )
        .await;
        let mut stream = running.connect().await;
        let padding = "x".repeat(kib << 10);
        let head = format!(
            "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-padding: {padding}\r\n\r\n"
        );
        // A server that has had enough closes the connection on what is still being sent.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer.starts_with(b"HTTP/1.1 200 "), is_answered, "{kib}");
    }
}

async fn bodies_under_way_have_a_bound_in_bytes(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            bodies_max_bytes: 1024 * 1024,
            ..HttpSettings::default()
        },
    )
    .await;
    let head = "POST /v1/heartbeats HTTP/1.1\r\nhost: x\r\n\
                 content-type: application/json\r\ncontent-length: 262144\r\n\r\n";
    let (bytes, refusals) = (
        "streamgate_http_body_bytes",
        "streamgate_http_bodies_refused_total",
    );
    let mut unfinished = Vec::new();
    // Four of 250 KiB fit, and would not if they took much more than they are long.
    for i in 1..=4 {
        let mut stream = running.sent(head).await;
        stream.write_all(&[b' '; 250 * 1024]).await.unwrap();
        unfinished.push(stream);
        let has_come = |taken: &str| taken.parse::<usize>().unwrap() >= i * 250 * 1024;
        eventually(&running.service, bytes, has_come).await;
    }
    assert_eq!(running.service.metric(refusals).await, "0");
    let mut stream = running.sent(head).await;
    // A server that refuses need not take the rest.
    let _ = stream.write_all(&[b' '; 250 * 1024]).await;
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    assert!(answer.contains("\"code\":\"overloaded\""), "{answer}");
    assert!(answer.contains("http.bodies_max_bytes"), "{answer}");
    assert_eq!(running.service.metric(refusals).await, "1");
    // What comes in one piece needs no memory of its own.
    let start = "PUT /v1/users/u/sessions/s HTTP/1.1\r\nhost: x\r\n\
                  content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let mut other = running.sent(start).await;
    let answer = read_until(&mut other, "}").await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    // What the others took is free once they have gone.
    drop(unfinished);
    eventually(&running.service, bytes, |taken| taken == "0").await;
}

/// The rest is waited for, and the buffer of the connection is its own again.
async fn the_first_piece_of_a_body_that_is_waited_for_counts(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let unfinished = "PUT /v1/users/u/sessions/s HTTP/1.1\r\nhost: x\r\n\
                      content-type: application/json\r\ncontent-length: 2\r\n\r\n{";
    let mut stream = running.sent(unfinished).await;
    let bytes = "streamgate_http_body_bytes";
    eventually(&running.service, bytes, |taken| taken == "2").await;
    stream.write_all(b"}").await.unwrap();
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    eventually(&running.service, bytes, |taken| taken == "0").await;
}

async fn a_peer_has_at_most_so_many_connections(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            max_connections_per_peer: NonZeroU32::new(2),
            ..HttpSettings::default()
        },
    )
    .await;
    let request = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = running.sent(request).await;
        read_until(&mut stream, "\"ok\"}").await;
        open.push(stream);
    }
    // Over TLS not even its handshake is done.
    let mut answer = Vec::new();
    if let Ok(mut refused) = running.dial.connect().await {
        let _ = refused.read_to_end(&mut answer).await;
    }
    assert!(answer.is_empty(), "it is closed at once");
    let refusals = "streamgate_http_connections_refused_total";
    assert_eq!(running.service.metric(refusals).await, "1");
    open.pop();
    let connections = "streamgate_http_connections";
    eventually(&running.service, connections, |open| open == "1").await;
    let mut next = running.sent(request).await;
    read_until(&mut next, "\"ok\"}").await;
}

async fn a_batch_of_256_kib_comes_through_a_socket_whole(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let mut stream = running.connect().await;
    let body = format!("{{\"heartbeats\":[]{}}}", " ".repeat((256 << 10) - 17));
    let head = format!(
        "POST /v1/heartbeats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

async fn a_client_that_does_not_read_its_answers_is_cut_off(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            write_timeout: QUICK,
            ..HttpSettings::default()
        },
    )
    .await;
    let mut deaf = running.connect().await;
    // Once its answers fill every buffer on the way, the server reads no further requests either:
    // only the end of the connection ends this loop.
    let request = b"GET /docs/scalar.js HTTP/1.1\r\nhost: x\r\n\r\n";
    let cut_off = async { while deaf.write_all(request).await.is_ok() {} };
    timeout(Duration::from_secs(20), cut_off).await.unwrap();
}

/// `TCP_USER_TIMEOUT` of the sockets of this process that are connected to this address, in
/// milliseconds.
fn user_timeouts(peer: SocketAddr) -> Vec<u32> {
    let this = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let mut timeouts = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let number = entry.unwrap().file_name().into_string().unwrap();
        let number = number.parse().unwrap();
        // The directory itself is closed by now.
        let Ok(copy) = pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) else {
            continue;
        };
        let copy = std::net::TcpStream::from(copy);
        if copy.peer_addr().is_ok_and(|address| address == peer) {
            timeouts.push(tcp_user_timeout(&copy).unwrap());
        }
    }
    timeouts
}

/// A client that has vanished: the kernel ends its connection, although no write waits.
async fn what_is_sent_is_acknowledged_within_the_write_timeout(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            write_timeout: Duration::from_secs(7),
            ..HttpSettings::default()
        },
    )
    .await;
    let request = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut stream = running.sent(request).await;
    read_until(&mut stream, "\"ok\"}").await;
    assert_eq!(user_timeouts(stream.local_addr()), [7_000]);
}

async fn a_body_that_says_it_is_too_large_is_refused_unread(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let head = "POST /v1/users/u/sessions HTTP/1.1\r\nhost: x\r\n\
                 content-type: application/json\r\ncontent-length: 1000000000\r\n\r\n";
    let mut stream = running.sent(head).await;
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

async fn a_chunked_body_is_bounded_too(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let head = "POST /v1/users/u/sessions HTTP/1.1\r\nhost: x\r\n\
                 content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut stream = running.sent(head).await;
    let chunk = format!("4001\r\n{}\r\n", " ".repeat(0x4001));
    stream.write_all(chunk.as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

async fn connections_beyond_the_maximum_wait_for_a_free_place(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            max_connections: 1,
            ..HttpSettings::default()
        },
    )
    .await;
    let request = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = running.sent(request).await;
    read_until(&mut first, "\"ok\"}").await;
    let dial = running.dial.clone();
    let second = tokio::spawn(async move {
        let mut second = dial.connect().await.unwrap();
        second.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut second, "\"ok\"}").await
    });
    assert_eq!(
        running.service.metric("streamgate_http_connections").await,
        "1"
    );
    drop(first);
    second.await.unwrap();
}

over_plain_and_tls! {
    a_connection_serves_one_request_after_the_other,
    a_head_that_never_ends_is_cut_off,
    a_connection_stays_open_for_the_header_timeout_after_its_last_answer,
    a_connection_that_is_idle_after_a_streamed_answer_is_closed,
    a_request_under_way_is_no_idle_connection,
    a_body_that_never_comes_is_408_and_the_connection_is_closed,
    a_head_has_a_bound_of_16_kib_unless_set_otherwise,
    bodies_under_way_have_a_bound_in_bytes,
    the_first_piece_of_a_body_that_is_waited_for_counts,
    a_peer_has_at_most_so_many_connections,
    a_batch_of_256_kib_comes_through_a_socket_whole,
    a_client_that_does_not_read_its_answers_is_cut_off,
    what_is_sent_is_acknowledged_within_the_write_timeout,
    a_body_that_says_it_is_too_large_is_refused_unread,
    a_chunked_body_is_bounded_too,
    connections_beyond_the_maximum_wait_for_a_free_place,
}
