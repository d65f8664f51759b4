//! Event streams over a real socket: clients that are slow, that leave, and a server that stops.

use std::time::Duration;

use serde_json::{Map, Value, json};
use streamgate_clock::Stopwatch;
use streamgate_server::{HttpSettings, Stopped};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::support::running::{Over, Running, over_plain_and_tls, read_all, read_until};

const USER: &str = "GET /v1/users/u/events HTTP/1.1\r\nhost: x\r\n\r\n";
const HOLD: &str = "GET /v1/users/u/sessions/s/events?hold=true HTTP/1.1\r\nhost: x\r\n\r\n";

over_plain_and_tls!(
    a_stopping_server_says_bye_and_ends_its_streams_in_order,
    a_stream_outlives_every_timeout_of_requests,
    a_stream_ends_soon_after_its_client_has_gone,
    a_client_that_goes_behind_unread_bytes_is_noticed,
);

/// Waits until the value of a metric is so.
async fn becomes(running: &Running, metric: &str, value: &str) {
    let watch = Stopwatch::start();
    while running.service.metric(metric).await != value {
        assert!(
            watch.elapsed() < Duration::from_secs(20),
            "{metric} does not become {value}"
        );
        tokio::task::yield_now().await;
    }
}

async fn a_stopping_server_says_bye_and_ends_its_streams_in_order(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    running.service.start(&["s"]).await;
    let mut user = running.sent(USER).await;
    let mut hold = running.sent(HOLD).await;
    read_until(&mut user, "event: sessions").await;
    read_until(&mut hold, "event: session").await;
    running.stop.send(()).unwrap();
    for stream in [&mut user, &mut hold] {
        let last = read_all(stream).await;
        assert!(
            last.contains("event: bye\ndata: {\"reason\":\"stopping\",\"retry_ms\":"),
            "{last}"
        );
        let retry = last.split("retry: ").nth(1).unwrap();
        let retry: u64 = retry.lines().next().unwrap().parse().unwrap();
        assert!((1_000..=5_000).contains(&retry), "{last}");
        assert!(last.ends_with("\r\n0\r\n\r\n"), "the body ends: {last:?}");
    }
    assert_eq!(running.server.await.unwrap(), Stopped { cut_off: 0 });
}

async fn a_stream_outlives_every_timeout_of_requests(over: Over) {
    let short = Duration::from_millis(300);
    let running = Running::over(
        over,
        HttpSettings {
            header_timeout: short,
            body_timeout: short,
            write_timeout: short,
            ..HttpSettings::default()
        },
    )
    .await;
    let mut stream = running.sent(USER).await;
    read_until(&mut stream, "event: sessions").await;
    tokio::time::sleep(short * 4).await;
    running.service.start(&["s"]).await;
    read_until(&mut stream, "event: started").await;
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_a_stream_without_chunks() {
    let running = Running::over(Over::Plain, HttpSettings::default()).await;
    running.service.start(&["s"]).await;
    let request = "GET /v1/users/u/sessions/s/events HTTP/1.0\r\nhost: x\r\n\r\n";
    let mut stream = running.sent(request).await;
    let head = read_until(&mut stream, "event: session").await;
    assert!(
        !head.to_ascii_lowercase().contains("transfer-encoding"),
        "{head}"
    );
    running
        .service
        .call("DELETE", "/v1/users/u/sessions/s")
        .await;
    let rest = read_all(&mut stream).await;
    assert!(rest.contains("event: ended\n"), "{rest}");
}

/// The lease runs on from the last renewal, so a client that has gone is noticed at once.
async fn a_stream_ends_soon_after_its_client_has_gone(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    running.service.start(&["s"]).await;
    for reset in [false, true] {
        let mut stream = running.sent(HOLD).await;
        read_until(&mut stream, "event: session").await;
        becomes(&running, "streamgate_push_streams{kind=\"hold\"}", "1").await;
        if reset {
            stream.set_zero_linger();
        }
        drop(stream);
        let watch = Stopwatch::start();
        becomes(&running, "streamgate_push_streams{kind=\"hold\"}", "0").await;
        assert!(
            watch.elapsed() < Duration::from_secs(5),
            "{:?}",
            watch.elapsed()
        );
    }
}

/// The end of a TLS session, or a request behind the stream, which arrives before the FIN does:
/// nobody reads it while the stream lasts.
async fn a_client_that_goes_behind_unread_bytes_is_noticed(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    running.service.start(&["s"]).await;
    for ends_session in [false, true] {
        let mut stream = running.sent(HOLD).await;
        read_until(&mut stream, "event: session").await;
        becomes(&running, "streamgate_push_streams{kind=\"hold\"}", "1").await;
        if ends_session {
            stream.send_close_notify().await;
        } else {
            stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
            stream.flush().await.unwrap();
        }
        // The server is to have them before the FIN. If it has not, this is the test before.
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(stream);
        let watch = Stopwatch::start();
        becomes(&running, "streamgate_push_streams{kind=\"hold\"}", "0").await;
        assert!(
            watch.elapsed() < Duration::from_secs(5),
            "{:?}",
            watch.elapsed()
        );
    }
}

#[tokio::test]
async fn a_client_that_closed_its_sending_side_only_goes_on_listening() {
    let running = Running::over(Over::Plain, HttpSettings::default()).await;
    let mut stream = running.sent(USER).await;
    read_until(&mut stream, "event: sessions").await;
    stream.shutdown().await.unwrap();
    // Both probes are written.
    read_until(&mut stream, ":\n\n\r\n3\r\n:\n\n").await;
    running.service.start(&["s"]).await;
    read_until(&mut stream, "event: started").await;
}

/// How long a call may take that waits for nobody, on a busy machine.
const CALL_MAX: Duration = Duration::from_secs(10);

/// A start with as much metadata as one may bring.
fn large() -> Value {
    let attributes = (0..16).map(|nth| (format!("key-{nth}"), "x".repeat(256).into()));
    json!({"attributes": attributes.collect::<Map<String, Value>>()})
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_nobody_waits_for_it() {
    let running = Running::over(
        Over::Plain,
        HttpSettings {
            write_timeout: Duration::from_millis(500),
            ..HttpSettings::default()
        },
    )
    .await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut slow: TcpStream = socket.connect(running.address).await.unwrap();
    let request = b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n";
    slow.write_all(request).await.unwrap();
    becomes(&running, "streamgate_push_streams{kind=\"tenant\"}", "1").await;
    let large = large();
    let watch = Stopwatch::start();
    while running
        .service
        .metric("streamgate_push_streams{kind=\"tenant\"}")
        .await
        != "0"
    {
        assert!(
            watch.elapsed() < Duration::from_secs(60),
            "it is not cut off"
        );
        let path = "/v1/users/u/sessions/s";
        let start = running.service.json("PUT", path, &large);
        let start = timeout(CALL_MAX, start).await.expect("a start waits");
        assert_eq!(start.status, 201);
        let stop = timeout(CALL_MAX, running.service.call("DELETE", path));
        assert_eq!(stop.await.expect("a stop waits").status, 204);
        tokio::task::yield_now().await;
    }
    let ended = "streamgate_push_streams_ended_total{reason=\"client\"}";
    assert_eq!(running.service.metric(ended).await, "1");
    // What it did not read is lost to it, its connection too.
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest).await;
}
