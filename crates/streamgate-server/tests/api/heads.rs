//! Heads that two servers could read in two ways: 400, and the connection is closed.

use streamgate_server::HttpSettings;
use tokio::io::AsyncReadExt as _;

use crate::support::running::{Over, Running, over_plain_and_tls, read_all, read_until};

/// What the server says to these bytes until it closes the connection.
async fn told(running: &Running, bytes: &[u8]) -> String {
    let mut stream = running.connect().await;
    stream.write_all(bytes).await.unwrap();
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), read_all(&mut stream));
    answer.await.expect("the connection is closed")
}

async fn an_ambiguous_host_is_400(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    for (head, message) in [
        (
            "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
            "host is given more than once",
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
            "host is given more than once",
        ),
        (
            "GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n",
            "host is given more than once",
        ),
        ("GET /healthz HTTP/1.1\r\n", "host is required"),
        (
            "PUT /v1/users/u/sessions/s HTTP/1.1\r\nx-host: a\r\n",
            "host is required",
        ),
    ] {
        let answer = told(&running, format!("{head}\r\n").as_bytes()).await;
        assert!(answer[8..].starts_with(" 400 "), "{head}: {answer}");
        assert!(answer.contains("connection: close\r\n"), "{head}: {answer}");
        assert!(answer.contains("\"code\":\"invalid_request\""), "{answer}");
        assert!(answer.contains(message), "{head}: {answer}");
    }
    let answer = told(&running, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    let counted = running
        .service
        .metric(
            "streamgate_http_request_duration_seconds_count\
             {method=\"GET\",route=\"none\",status=\"400\"}",
        )
        .await;
    assert_eq!(counted, "4");
}

async fn a_host_that_is_no_host_is_400(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let start = "PUT /v1/users/u/sessions/s";
    for version in ["1.1", "1.0"] {
        for host in [
            "a, b", "a@b/c", "a b", "a\tb", "u:p@a", "a/", "a:8080x", "[::1", "a%zz", "é",
        ] {
            let head = format!("{start} HTTP/{version}\r\nHost: {host}\r\n\r\n");
            let answer = told(&running, head.as_bytes()).await;
            assert!(answer[8..].starts_with(" 400 "), "{head}: {answer}");
            assert!(answer.contains("connection: close\r\n"), "{head}: {answer}");
            assert!(
                answer.contains("host must be a name or an address"),
                "{head}: {answer}"
            );
        }
        // The host of the target counts, whatever the header says.
        let head =
            format!("PUT http://u:p@a/v1/users/u/sessions/s HTTP/{version}\r\nHost: a\r\n\r\n");
        let answer = told(&running, head.as_bytes()).await;
        assert!(answer[8..].starts_with(" 400 "), "{head}: {answer}");
        assert!(
            answer.contains("host must be a name or an address"),
            "{head}: {answer}"
        );
    }
    assert_eq!(
        running.service.metric("streamgate_live_sessions").await,
        "0"
    );
}

async fn every_form_of_a_host_is_accepted(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    for host in [
        "",
        "a",
        "stream_gate-1:8080",
        "streams.example.com.",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:8080",
        "%41b",
        "a:",
    ] {
        for version in ["1.1", "1.0"] {
            let head =
                format!("GET /healthz HTTP/{version}\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = told(&running, head.as_bytes()).await;
            assert!(answer[8..].starts_with(" 200 "), "{head}: {answer}");
        }
    }
    let absolute = b"GET http://[::1]:80/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = told(&running, absolute).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

async fn an_ambiguous_body_is_400(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    for headers in [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "x-folded: a\r\n b\r\nTransfer-Encoding: chunked",
    ] {
        let request = format!(
            "PUT /v1/users/u/sessions/s HTTP/1.1\r\nhost: x\r\n\
             content-type: application/json\r\n{headers}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        );
        let answer = told(&running, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
    }
    assert_eq!(
        running.service.metric("streamgate_live_sessions").await,
        "0"
    );
}

async fn a_bare_lf_in_a_head_is_400(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    for head in [
        "GET /healthz HTTP/1.1\nHost: a\n\n",
        "GET /healthz HTTP/1.1\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\nx: y\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\n",
        "GET /healthz HTTP/1.1\r\nHost: a\n\r\n",
        "\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let answer = told(&running, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
        // Behind another request, and in pieces: not answered with anything else than 400.
        let mut stream = running.connect().await;
        let ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        read_until(&mut stream, "\"ok\"}").await;
        for byte in head.as_bytes() {
            // The server need not take more than it takes to know.
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 200 "), "{head:?}: {answer}");
    }
}

async fn a_body_may_have_bare_lfs(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let mut stream = running.connect().await;
    for id in ["a", "b", "c"] {
        let body = "{\n  \"device_id\": \"tv\"\n}\n";
        let request = format!(
            "PUT /v1/users/u/sessions/{id} HTTP/1.1\r\nhost: x\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\"active\"").await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
}

/// A start whose body has line ends of its own, with the framing of its body.
fn start(id: &str, framing: &str, body: &str) -> String {
    format!(
        "PUT /v1/users/u/sessions/{id} HTTP/1.1\r\nhost: x\r\n\
         content-type: application/json\r\n{framing}\r\n\r\n{body}"
    )
}

/// Heads that are refused behind a body as well.
const AMBIGUOUS: [&str; 4] = [
    "GET /healthz HTTP/1.1\nHost: a\n\n",
    "GET /healthz HTTP/1.1\r\nHost: a\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\
     Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
];

async fn an_ambiguous_head_behind_a_body_is_400(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let body = "{\n}\n";
    let first = start("s", &format!("content-length: {}", body.len()), body);
    for second in AMBIGUOUS {
        let bytes = format!("{first}{first}{second}");
        // In one write, cut within the body, and cut within the second head.
        for cut in [0, first.len() - 3, 2 * first.len() + 10] {
            let mut stream = running.connect().await;
            for piece in [&bytes[..cut], &bytes[cut..]] {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
            let answer = read_all(&mut stream).await;
            let statuses: Vec<&str> = (answer.split("HTTP/1.1 ").skip(1))
                .map(|answer| &answer[..3])
                .collect();
            assert!(
                matches!(statuses[..], [_, "200", "400"]),
                "{second:?} at {cut}: {answer}"
            );
        }
    }
}

/// Its beginning is read with the request before it, so the parser has seen it without its end.
async fn an_ambiguous_head_that_comes_in_two_reads_is_400(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let first = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let ends_with_it = "GET /healthz HTTP/1.1\r\nContent-Length: 5\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    for second in AMBIGUOUS.into_iter().chain([ends_with_it]) {
        for cut in [1, 10, second.len() - 1] {
            let mut stream = running.connect().await;
            let (begin, rest) = second.split_at(cut);
            stream
                .write_all(format!("{first}{begin}").as_bytes())
                .await
                .unwrap();
            let mut answers = read_until(&mut stream, "\"ok\"}").await;
            stream.write_all(rest.as_bytes()).await.unwrap();
            answers += &read_all(&mut stream).await;
            assert!(
                answers.starts_with("HTTP/1.1 200 ") && answers.contains("}HTTP/1.1 400 "),
                "{second:?} at {cut}: {answers}"
            );
        }
    }
}

async fn no_request_behind_a_chunked_body_is_served(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let plain = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    for second in AMBIGUOUS.into_iter().chain([plain]) {
        let first = start("s", "transfer-encoding: chunked", "3\r\n{\n}\r\n0\r\n\r\n");
        for cut in [0, first.len() - 2, first.len() + 10] {
            let bytes = format!("{first}{second}");
            let mut stream = running.connect().await;
            for piece in [&bytes[..cut], &bytes[cut..]] {
                // The server may have closed before the second piece, which resets the connection.
                let _ = stream.write_all(piece.as_bytes()).await;
                tokio::task::yield_now().await;
            }
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            let answer = String::from_utf8(answer).unwrap();
            assert_eq!(
                answer.matches("HTTP/1.1 ").count(),
                1,
                "{second:?}: {answer}"
            );
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            assert!(answer.contains("\"active\""), "{answer}");
        }
    }
}

over_plain_and_tls! {
    an_ambiguous_head_behind_a_body_is_400,
    an_ambiguous_head_that_comes_in_two_reads_is_400,
    no_request_behind_a_chunked_body_is_served,
    an_ambiguous_host_is_400,
    a_host_that_is_no_host_is_400,
    every_form_of_a_host_is_accepted,
    an_ambiguous_body_is_400,
    a_bare_lf_in_a_head_is_400,
    a_body_may_have_bare_lfs,
}
