//! A server without keys, as `streamgate serve` starts it, and the web pages that a browser on the
//! same machine has open.

use streamgate_testkit::{Answer, exchange};

use crate::dialects::dialect::Dialect;
use crate::dialects::setup::Service;

/// Sends a request with these lines in its head.
fn send(service: &Service, request_line: &str, lines: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!(
        "{request_line} HTTP/1.1\r\n{lines}connection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    exchange(
        service.address(),
        &[head.as_bytes(), body.as_bytes()].concat(),
    )
}

#[test]
fn a_foreign_page_reads_nothing_and_changes_nothing() {
    let service = Service::start(&[]);
    service.start_session(Dialect::StreamRequests, "ann", "film");
    let before = service.everything();
    let here = format!("Host: {}\r\n", service.address());
    let evil = format!("{here}Origin: https://evil.example\r\n");
    let image = format!("{here}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n");
    let rebound = "Host: rebind.example\r\nOrigin: http://rebind.example\r\n";
    let remove = "POST /compat/stream-requests/removeuser";
    for (line, lines, body) in [
        // Past the router, and through it.
        ("DELETE /v1/users/ann/sessions/film", &*evil, ""),
        ("PUT /v1/users/ann/sessions/x", &evil, ""),
        ("POST /v1/users/ann/sessions/film/stop", &evil, ""),
        (
            "POST /v1/users/ann/sessions",
            &format!("{evil}Content-Type: text/plain\r\n"),
            "{}",
        ),
        (remove, &evil, r#"{"id":"ann"}"#),
        ("GET /compat/user-streams/user-streams/ann/x1", &evil, ""),
        ("GET /compat/user-streams/user-streams/ann/x1", &image, ""),
        ("PUT /v1/users/ann/sessions/x", rebound, ""),
        ("GET /v1/users", rebound, ""),
        ("GET /v1/users/ann/sessions", rebound, ""),
        ("GET /compat/stream-requests/getallusers", rebound, ""),
    ] {
        let answer = send(&service, line, lines, body);
        assert_eq!(answer.status, 403, "{line}\n{lines}: {answer:?}");
        let told = answer
            .headers
            .iter()
            .find(|(name, _)| name.starts_with("access-control-"));
        assert_eq!(told, None, "{line}: {answer:?}");
    }
    let preflight = format!("{evil}Access-Control-Request-Method: DELETE\r\n");
    for path in [
        "/v1/users/ann/sessions/film",
        "/compat/user-streams/user-streams/ann",
    ] {
        let answer = send(&service, &format!("OPTIONS {path}"), &preflight, "");
        let told = answer
            .headers
            .iter()
            .find(|(name, _)| name.starts_with("access-control-"));
        assert_eq!(told, None, "{path}: {answer:?}");
    }
    assert_eq!(service.everything(), before);
    // The same calls by the explorer of this server.
    let own = format!(
        "{here}Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n",
        service.address()
    );
    let stop = send(&service, "DELETE /v1/users/ann/sessions/film", &own, "");
    assert_eq!(stop.status, 204, "{stop:?}");
    service.end();
}

#[test]
fn a_page_of_an_allowed_origin_calls_as_ever() {
    let service = Service::start(&["cors.allowed_origins=https://player.example"]);
    let lines = format!(
        "Host: {}\r\nOrigin: https://player.example\r\n",
        service.address()
    );
    let start = "GET /compat/user-streams/user-streams/ann/x1";
    let answer = send(&service, start, &lines, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let answer = send(&service, "DELETE /v1/users/ann/sessions/x1", &lines, "");
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://player.example"
    );
    service.end();
}
