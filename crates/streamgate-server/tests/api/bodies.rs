//! Bodies that are missing, malformed, too large, too deep, or of the wrong kind.

use std::convert::Infallible;
use std::sync::{Arc, mpsc};

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use futures_util::stream;

use crate::support::{Service, request};

const START: &str = "/v1/users/u/sessions";

#[tokio::test]
async fn an_empty_body_is_fine_whatever_its_type() {
    for content_type in ["application/json", "text/plain", "image/png"] {
        let service = Service::open();
        let answer = service.raw("POST", START, content_type, "").await;
        assert_eq!(answer.status, 201, "{content_type}");
    }
}

#[tokio::test]
async fn a_body_must_be_sent_as_json() {
    for (content_type, status) in [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON", 201),
        ("application/merge-patch+json", 201),
        ("application/vnd.streamgate.v1+json;q=1", 201),
        ("text/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("application/", 415),
        ("json", 415),
        ("", 415),
    ] {
        let service = Service::open();
        let answer = service.raw("POST", START, content_type, "{}").await;
        assert_eq!(answer.status, status, "{content_type}");
        if status == 415 {
            answer.assert_problem(415, "unsupported_media_type");
        }
    }
    let body = Body::from("{}");
    let without_type = request("POST", START, body);
    let answer = Service::open().send(without_type).await;
    answer.assert_problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_body_must_not_be_compressed() {
    for (encoding, status) in [
        ("identity", 201),
        ("Identity", 201),
        ("gzip", 415),
        ("", 415),
    ] {
        let mut request = request("POST", START, Body::from("{}"));
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("content-encoding", encoding.parse().unwrap());
        let answer = Service::open().send(request).await;
        assert_eq!(answer.status, status, "{encoding}");
        if status == 415 {
            answer.assert_problem(415, "unsupported_media_type");
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused_as_a_whole() {
    let service = Service::open();
    let deep = "[".repeat(10_000);
    let bodies: [&[u8]; 12] = [
        b"{",
        b"null",
        b"[]",
        b"[null, \"d\"]",
        b"\"text\"",
        b"3",
        b"{}{}",
        b"{} x",
        b"{\"device_id\": NaN}",
        b"{'device_id': 'd'}",
        b"\xef\xbb\xbf{}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let answer = service
            .raw("POST", START, "application/json", body.to_vec())
            .await;
        answer.assert_invalid(&["body"]);
    }
}

#[tokio::test]
async fn a_member_that_is_wrong_is_named() {
    let service = Service::open();
    let deep = format!("{{\"attributes\": {}1}}", "{\"a\":".repeat(500));
    for (body, field) in [
        (r#"{"sesion_id": "s"}"#, "sesion_id"),
        (r#"{"device_id": 5}"#, "device_id"),
        (r#"{"device_id": ["d"]}"#, "device_id"),
        (r#"{"device_id": "d", "device_id": "d"}"#, "device_id"),
        (r#"{"attributes": {"k": 1}}"#, "attributes.k"),
        (r#"{"attributes": {"k": null}}"#, "attributes.k"),
        (r#"{"attributes": [["k", "v"]]}"#, "attributes"),
        (r#"{"attributes": {"k": "v", "k": "v"}}"#, "attributes"),
        (r#"{"terminate": "s"}"#, "terminate"),
        (r#"{"terminate": ["s", 1]}"#, "terminate[1]"),
        (r#"{"device_id": "\ud800"}"#, "body"),
        (deep.as_str(), "attributes.a"),
    ] {
        service
            .raw("POST", START, "application/json", body.to_owned())
            .await
            .assert_invalid(&[field]);
    }
    service
        .raw(
            "PUT",
            "/v1/users/u",
            "application/json",
            r#"{"limit": 1e999}"#,
        )
        .await
        .assert_invalid(&["limit"]);
    for body in [&b"{\"device_id\": \"\xff\"}"[..], b"{\"\xff\": 1}"] {
        let answer = service.raw("POST", START, "application/json", body).await;
        answer.assert_problem(400, "invalid_request");
    }
    let list = service.get(START).await.json();
    assert_eq!(list["active"], 0, "nothing was half-applied");
}

#[tokio::test]
async fn the_commonest_mistakes_are_said_in_plain_words() {
    let service = Service::open();
    for (body, message) in [
        (r#"{"x": 1}"#, "unknown field"),
        (r#"{"device_id": "d", "device_id": "d"}"#, "is given twice"),
        (
            r#"{"device_id": 5}"#,
            "invalid type: integer `5`, expected a string",
        ),
        ("3", "invalid type: integer `3`, expected a JSON object"),
    ] {
        let answer = service.raw("POST", START, "application/json", body).await;
        let problem = answer.assert_problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["message"], message);
    }
}

/// The bytes of a header: a part of the buffer of a connection.
struct Head {
    _held: Arc<()>,
}

impl AsRef<[u8]> for Head {
    fn as_ref(&self) -> &[u8] {
        b"anything"
    }
}

/// While a head is held, its connection needs another buffer to read the body.
#[tokio::test]
async fn a_head_is_let_go_before_its_body_is_read() {
    let service = Service::open();
    for (method, path) in [
        ("PUT", "/v1/users/u/sessions/s"),
        ("POST", START),
        ("POST", "/v1/heartbeats"),
        ("PUT", "/v1/users/u"),
        ("POST", "/compat/stream-log/dev/stream"),
    ] {
        let held = Arc::new(());
        let (is_held, head) = (Arc::downgrade(&held), Head { _held: held });
        let (say, said) = mpsc::channel();
        let body = Body::from_stream(stream::once(async move {
            say.send(is_held.strong_count() > 0).unwrap();
            Ok::<_, Infallible>("{}")
        }));
        let mut request = request(method, path, body);
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json".parse().unwrap());
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(head)).unwrap();
        headers.insert("x-of-the-app", value);
        service.send(request).await;
        assert_eq!(said.recv(), Ok(false), "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_may_have_16_kib() {
    let padded = |len: usize| format!("{{}}{}", " ".repeat(len - 2));
    let service = Service::open();
    let answer = service
        .raw("POST", START, "application/json", padded(16 * 1024))
        .await;
    assert_eq!(answer.status, 201);
    for path in [START, "/v1/users/u/sessions/s", "/v1/users/u"] {
        let method = if path == START { "POST" } else { "PUT" };
        let answer = service
            .raw(method, path, "application/json", padded(16 * 1024 + 1))
            .await;
        let problem = answer.assert_problem(413, "body_too_large");
        assert_eq!(
            problem["detail"],
            "the body must be at most 16384 bytes long"
        );
    }
}
