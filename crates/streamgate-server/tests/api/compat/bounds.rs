//! The bounds that `docs/migrating.md` promises of all dialects: ids, percent-encoding, bodies.

use axum::body::Body;
use axum::http::Request;

use crate::support::{Answer, Service, request};

/// A call of a dialect, with the status that it must have.
type Case = (u16, &'static str, &'static str, &'static str);

async fn assert_statuses(cases: &[Case]) {
    for (status, method, path, body) in cases {
        let service = Service::open();
        let at = format!("/compat/{path}");
        let answer = service.raw(method, &at, "text/plain", *body).await;
        assert_eq!(answer.status, *status, "{method} {path} {body}");
    }
}

#[tokio::test]
async fn an_id_out_of_bounds_is_a_400_and_a_404_where_a_stream_is_ended() {
    let control = r#"{"userId":"u","streamId":"\u0001"}"#;
    assert_statuses(&[
        (400, "POST", "session-tracker/add-session?user_id=%01", ""),
        (
            400,
            "POST",
            "session-tracker/remove-session?user_id=%01",
            "",
        ),
        (
            400,
            "GET",
            "concurrency-service/dev/startSession/userId/%01/sessionId/s",
            "",
        ),
        (
            400,
            "GET",
            "concurrency-service/dev/startSession/userId/u/sessionId/%01",
            "",
        ),
        (
            400,
            "POST",
            "stream-log/dev/stream",
            r#"{"userId":"\u0001"}"#,
        ),
        (404, "DELETE", "stream-log/dev/stream", control),
        (400, "GET", "user-streams/user-streams/%01/s", ""),
        (400, "GET", "user-streams/user-streams/u/%01", ""),
        (400, "DELETE", "user-streams/user-streams/%01", ""),
        (400, "GET", "stream-requests/getuser?id=%01", ""),
        (
            400,
            "POST",
            "stream-requests/createuser",
            r#"{"Name":"N","id":"\u0001"}"#,
        ),
        (
            400,
            "POST",
            "stream-requests/requeststream",
            r#"{"id":"\u0001","stream":"s"}"#,
        ),
        (
            400,
            "POST",
            "stream-requests/removeuser",
            r#"{"id":"\u0001"}"#,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_broken_percent_encoding_is_a_400_in_an_id_and_nothing_elsewhere() {
    let user = r#"{"userId":"u"}"#;
    assert_statuses(&[
        (400, "POST", "session-tracker/add-session?user_id=%zz", ""),
        (
            200,
            "POST",
            "session-tracker/add-session?user_id=u&other=%zz",
            "",
        ),
        (
            200,
            "POST",
            "session-tracker/add-session?%zz=1&user_id=u",
            "",
        ),
        (
            400,
            "GET",
            "concurrency-service/dev/startSession/userId/%zz/sessionId/s",
            "",
        ),
        (
            400,
            "GET",
            "concurrency-service/dev/startSession/userId/u/sessionId/%zz",
            "",
        ),
        (
            200,
            "GET",
            "concurrency-service/%zz/startSession/userId/u/sessionId/s",
            "",
        ),
        (
            200,
            "GET",
            "concurrency-service/dev/startSession/userId/u/sessionId/s?a=%zz",
            "",
        ),
        (201, "POST", "stream-log/%zz/stream", user),
        (201, "POST", "stream-log/dev/stream?a=%zz", user),
        (400, "GET", "user-streams/user-streams/%zz/s", ""),
        (400, "GET", "user-streams/user-streams/u/%zz", ""),
        (200, "GET", "user-streams/user-streams/u/s?a=%zz", ""),
        (400, "GET", "stream-requests/getuser?id=%zz", ""),
        (200, "GET", "stream-requests/getallusers?a=%zz", ""),
    ])
    .await;
}

/// A call of each dialect with this body, said to be in this encoding.
async fn called(path: &str, body: String, encoding: &'static str) -> Answer {
    let method = if path.starts_with("concurrency") || path.starts_with("user-streams") {
        "GET"
    } else {
        "POST"
    };
    let mut request: Request<Body> = request(method, &format!("/compat/{path}"), body.into());
    let encoding = encoding.parse().unwrap();
    request.headers_mut().insert("content-encoding", encoding);
    Service::open().send(request).await
}

#[tokio::test]
async fn bodies_have_bounds_in_the_dialects_that_read_them() {
    let long = || format!("{{\"userId\":\"u\"}}{}", " ".repeat(16 << 10));
    for (path, reads) in [
        ("session-tracker/add-session?user_id=u", false),
        (
            "concurrency-service/dev/startSession/userId/u/sessionId/s",
            false,
        ),
        ("user-streams/user-streams/u/s", false),
        ("stream-log/dev/stream", true),
        ("stream-requests/createuser", true),
        ("stream-requests/requeststream", true),
        ("stream-requests/removeuser", true),
    ] {
        let too_long = called(path, long(), "identity").await;
        assert_eq!(too_long.status, if reads { 413 } else { 200 }, "{path}");
        let compressed = called(path, "{}".to_owned(), "gzip").await;
        assert_eq!(compressed.status, if reads { 415 } else { 200 }, "{path}");
    }
}
