//! `x-request-id`.

use axum::body::Body;
use axum::http::HeaderValue;

use crate::support::{Service, request};

async fn returned(service: &Service, path: &str, id: &[u8]) -> String {
    let mut request = request("GET", path, Body::empty());
    let id = HeaderValue::from_bytes(id).unwrap();
    request.headers_mut().insert("x-request-id", id);
    let answer = service.send(request).await;
    answer.header("x-request-id").unwrap().to_owned()
}

#[tokio::test]
async fn a_callers_own_request_id_is_returned() {
    let service = Service::open();
    let longest = "x".repeat(64);
    for path in [
        "/v1/users/u/sessions",
        "/v1/users/u",
        "/nothing",
        "/v1/heartbeats",
        "/metrics",
    ] {
        for id in ["a", "{\"trace\":1}", &longest] {
            assert_eq!(returned(&service, path, id.as_bytes()).await, id);
        }
    }
}

#[tokio::test]
async fn an_invalid_request_id_is_replaced() {
    let service = Service::open();
    let too_long = "x".repeat(65);
    for id in [
        &b""[..],
        b"two words",
        b"tab\t",
        "ü".as_bytes(),
        too_long.as_bytes(),
    ] {
        let given = returned(&service, "/healthz", id).await;
        assert!(given.is_ascii() && given.len() > 16, "{given}");
    }
}

#[tokio::test]
async fn request_ids_that_the_server_makes_differ() {
    let service = Service::open();
    let a = service.get("/healthz").await;
    let b = service.get("/healthz").await;
    assert_ne!(a.header("x-request-id"), b.header("x-request-id"));
}

/// What an answer says is so now; and earlier systems start sessions by GET.
#[tokio::test]
async fn no_answer_is_to_be_stored_by_a_cache() {
    let service = Service::open();
    for (method, path) in [
        ("PUT", "/v1/users/u/sessions/s"),
        ("POST", "/v1/users/u/sessions/s/heartbeat"),
        ("GET", "/v1/users/u/sessions"),
        ("GET", "/v1/users/nobody"),
        ("PATCH", "/v1/users/u"),
        ("GET", "/no/such/path"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/compat/user-streams/user-streams/u/s"),
        ("GET", "/compat/stream-requests/getallusers"),
        (
            "GET",
            "/compat/concurrency-service/dev/startSession/userId/u/sessionId/s",
        ),
        ("POST", "/compat/session-tracker/add-session?user_id=u"),
    ] {
        let answer = service.call(method, path).await;
        let cache = answer.header("cache-control");
        assert_eq!(cache, Some("no-store"), "{method} {path}");
    }
    // Pages that are the same until another version runs.
    let explorer = service.get("/docs/").await;
    assert_eq!(explorer.header("cache-control"), Some("no-cache"));
}
