//! Over a real socket: the end of a server, in the middle of requests.

use std::time::Duration;

use streamgate_server::{HttpSettings, Stopped};
use tokio::net::TcpStream;

use crate::support::running::{Over, Running, over_plain_and_tls, read_all, read_until};

const QUICK: Duration = Duration::from_millis(50);

async fn a_request_under_way_is_finished_before_the_end(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let mut idle = running.connect().await;
    let head = "POST /v1/users/u/sessions/s/stop HTTP/1.1\r\nhost: x\r\n\
                 expect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    let mut busy = running.sent(head).await;
    // The server asks for the body, so the request is under way.
    read_until(&mut busy, "HTTP/1.1 100 Continue\r\n\r\n").await;
    running.stop.send(()).unwrap();
    assert_eq!(
        read_all(&mut idle).await,
        "",
        "an idle connection is closed"
    );
    busy.write_all(b"{}").await.unwrap();
    let answer = read_all(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.contains("session_unknown"), "{answer}");
    assert_eq!(running.server.await.unwrap(), Stopped { cut_off: 0 });
    let refused = TcpStream::connect(running.address).await;
    assert!(refused.is_err(), "the listener is closed");
}

async fn a_draining_server_serves_requests_is_not_ready_and_closes_connections(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            drain: Duration::from_secs(3_600),
            ..HttpSettings::default()
        },
    )
    .await;
    let ready = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";
    let start = b"PUT /v1/users/u/sessions/s HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut early = running.connect().await;
    early.write_all(ready).await.unwrap();
    let answer = read_until(&mut early, "}").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.contains("connection: close"), "{answer}");
    let Running {
        dial, stop, server, ..
    } = running;
    stop.send(()).unwrap();
    // Only the server knows when it has heard that, so the first answers may be the old ones.
    let answer = loop {
        let mut stream = dial.connect().await.unwrap();
        stream.write_all(ready).await.unwrap();
        let answer = read_until(&mut stream, "}").await;
        if !answer.starts_with("HTTP/1.1 200 ") {
            assert_eq!(read_all(&mut stream).await, "", "it is closed, as it says");
            break answer;
        }
    };
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\"code\":\"stopping\""), "{answer}");
    let mut late = dial.connect().await.unwrap();
    for stream in [&mut early, &mut late] {
        stream.write_all(start).await.unwrap();
        let answer = read_all(stream).await;
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    assert!(!server.is_finished());
}

async fn a_request_that_does_not_finish_within_the_grace_is_cut_off(over: Over) {
    let running = Running::over(
        over,
        HttpSettings {
            shutdown_grace: QUICK,
            ..HttpSettings::default()
        },
    )
    .await;
    let mut idle = running.connect().await;
    let head = "POST /v1/users/u/sessions/s/stop HTTP/1.1\r\nhost: x\r\n\
                 expect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    let mut busy = running.sent(head).await;
    read_until(&mut busy, "HTTP/1.1 100 Continue\r\n\r\n").await;
    running.stop.send(()).unwrap();
    assert_eq!(read_all(&mut idle).await, "");
    // The idle one ended by itself, and is not counted.
    assert_eq!(running.server.await.unwrap(), Stopped { cut_off: 1 });
    assert_eq!(
        running.service.metric("streamgate_http_connections").await,
        "0"
    );
}

over_plain_and_tls! {
    a_request_under_way_is_finished_before_the_end,
    a_draining_server_serves_requests_is_not_ready_and_closes_connections,
    a_request_that_does_not_finish_within_the_grace_is_cut_off,
}
