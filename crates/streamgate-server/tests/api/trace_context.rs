//! `traceparent` in, `traceresponse` out (W3C Trace Context).

use axum::body::Body;
use axum::http::HeaderValue;
use streamgate_server::{AllowedOrigins, CorsSettings, ServerSettings};

use crate::support::{Service, request};

const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Calls of the fast path, of the router, and one that no endpoint takes.
const CALLS: [(&str, &str); 6] = [
    ("PUT", "/v1/users/u/sessions/s"),
    ("POST", "/v1/users/u/sessions/s/heartbeat"),
    ("DELETE", "/v1/users/u/sessions/s"),
    ("GET", "/v1/users/u/sessions"),
    ("GET", "/compat/user-streams/user-streams/u/s"),
    ("GET", "/no/such/path"),
];

/// The `traceresponse` to a call with these headers.
async fn answered(
    service: &Service,
    (method, path): (&str, &str),
    traceparents: &[&[u8]],
) -> Option<String> {
    let mut request = request(method, path, Body::empty());
    for sent in traceparents {
        let sent = HeaderValue::from_bytes(sent).unwrap();
        request.headers_mut().append("traceparent", sent);
    }
    let answer = service.send(request).await;
    answer.header("traceresponse").map(str::to_owned)
}

#[tokio::test]
async fn a_valid_trace_is_continued_by_every_kind_of_call() {
    let service = Service::open();
    let mut spans = Vec::new();
    for call in CALLS {
        let given = answered(&service, call, &[VALID.as_bytes()]).await.unwrap();
        assert_eq!(given[..36], VALID[..36], "{call:?}");
        assert_eq!(given.len(), VALID.len(), "{call:?}");
        spans.push(given[36..52].to_owned());
    }
    spans.push(VALID[36..52].to_owned());
    spans.sort();
    spans.dedup();
    assert_eq!(
        spans.len(),
        CALLS.len() + 1,
        "each call is a span of its own"
    );
}

#[tokio::test]
async fn an_invalid_trace_is_replaced_by_one_of_the_same_length() {
    let service = Service::open();
    let huge = VALID.repeat(200);
    for sent in [&b""[..], b"00-4bf9", &[0xff; 55], huge.as_bytes()] {
        for call in CALLS {
            let given = answered(&service, call, &[sent]).await.unwrap();
            assert_eq!(given.len(), VALID.len(), "{given}");
            assert!(
                given.starts_with("00-") && given.ends_with("-00"),
                "{given}"
            );
        }
    }
}

#[tokio::test]
async fn two_traces_are_none() {
    let service = Service::open();
    let both = [VALID.as_bytes(), VALID.as_bytes()];
    let given = answered(&service, CALLS[0], &both).await.unwrap();
    assert_ne!(given[..36], VALID[..36]);
}

#[tokio::test]
async fn a_call_without_a_trace_gets_none() {
    let service = Service::open();
    for call in CALLS {
        assert_eq!(answered(&service, call, &[]).await, None, "{call:?}");
    }
}

#[tokio::test]
async fn a_web_page_may_send_its_trace_and_read_the_answers() {
    let service = Service::with(ServerSettings {
        cors: CorsSettings {
            allowed_origins: AllowedOrigins::Any,
            max_age: None,
        },
        ..ServerSettings::default()
    });
    let mut preflight = request("OPTIONS", CALLS[0].1, Body::empty());
    let headers = preflight.headers_mut();
    headers.insert("origin", HeaderValue::from_static("https://a.example"));
    headers.insert(
        "access-control-request-method",
        HeaderValue::from_static("PUT"),
    );
    let answer = service.send(preflight).await;
    let allowed = answer.header("access-control-allow-headers").unwrap();
    for name in ["traceparent", "tracestate"] {
        assert!(allowed.split(',').any(|it| it.trim() == name), "{allowed}");
    }
    let mut call = request(CALLS[0].0, CALLS[0].1, Body::empty());
    let headers = call.headers_mut();
    headers.insert("origin", HeaderValue::from_static("https://a.example"));
    let answer = service.send(call).await;
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("traceresponse"), "{exposed}");
}
