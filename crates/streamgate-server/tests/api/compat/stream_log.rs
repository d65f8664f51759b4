//! `/compat/stream-log/`.

use serde_json::{Value, json};

use crate::support::{Answer, MADE_V4_ID, Service, request};

const JSON: &str = "application/json; charset=utf-8";

const STREAM: &str = "/compat/stream-log/dev/stream";

impl Service {
    /// A call with this body, said to be something else.
    async fn log(&self, method: &str, body: &str) -> Answer {
        self.raw(method, STREAM, "text/plain", body.to_owned())
            .await
    }
}

impl Answer {
    /// Asserts a body of the dialect, to the byte.
    #[track_caller]
    fn assert_enveloped(&self, status: u16, message: &str) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        self.assert_text(
            status,
            JSON,
            &format!(r#"{{"statusCode":{status},"message":{message}}}"#),
        );
    }

    #[track_caller]
    fn assert_failed(&self, status: u16, error: &str) {
        self.assert_enveloped(status, &json!({ "error": error }).to_string());
    }

    /// Asserts that a stream of the user started; the user as JSON.
    #[track_caller]
    fn assert_started(&self, user: &str) {
        self.assert_enveloped(
            201,
            &format!(r#"{{"streamId":"{MADE_V4_ID}","userId":{user}}}"#),
        );
    }
}

fn stream(user: &str, id: &str) -> String {
    json!({ "userId": user, "streamId": id }).to_string()
}

#[tokio::test]
async fn a_stream_starts_with_a_name_of_ours_and_ends_once() {
    let service = Service::open();
    let started = service
        .log("POST", r#"{"userId":"u","streamId":"mine"}"#)
        .await;
    started.assert_started(r#""u""#);
    let sessions = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(sessions["sessions"][0]["session_id"], MADE_V4_ID);
    let expires_at = &sessions["sessions"][0]["expires_at"];
    assert_eq!(expires_at, "2026-11-21T18:30:00.000Z");

    let of_another = service.log("DELETE", &stream("other", MADE_V4_ID)).await;
    of_another.assert_failed(404, "The conditional request failed");
    let ended = service.log("DELETE", &stream("u", MADE_V4_ID)).await;
    ended.assert_empty(204);
    assert_eq!(ended.header("content-type"), Some(JSON));
    let again = service.log("DELETE", &stream("u", MADE_V4_ID)).await;
    again.assert_failed(404, "The conditional request failed");
    assert_eq!(service.active("u").await, 0);
}

#[tokio::test]
async fn streams_are_shared_with_the_api() {
    let service = Service::open();
    service.start(&["x", "y", "z"]).await;
    let refused = service.log("POST", r#"{"userId":"u"}"#).await;
    refused.assert_failed(403, "Unable to start a new stream, maximum limit reached");
    let ended = service.log("DELETE", &stream("u", "y")).await;
    ended.assert_empty(204);
    let session = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(session["sessions"].as_array().unwrap().len(), 2);
    let started = service.log("POST", r#"{"userId":"u"}"#).await;
    started.assert_started(r#""u""#);
}

#[tokio::test]
async fn the_limit_of_the_user_applies() {
    let service = Service::open();
    service.set_user("u", &json!({ "limit": 0 })).await;
    let refused = service.log("POST", r#"{"userId":"u"}"#).await;
    refused.assert_failed(403, "Unable to start a new stream, maximum limit reached");
}

#[tokio::test]
async fn a_stream_that_has_ended_by_itself_is_not_there_to_end() {
    let service = Service::open();
    service.log("POST", r#"{"userId":"u"}"#).await;
    service.advance(12 * 60 * 60);
    let expired = service.log("DELETE", &stream("u", MADE_V4_ID)).await;
    expired.assert_failed(404, "The conditional request failed");
}

#[tokio::test]
async fn a_number_and_the_same_digits_as_text_are_two_users() {
    let service = Service::open();
    for (sent, echoed, known_as) in [
        ("7", "7", "number:7"),
        (r#""8""#, r#""8""#, "8"),
        ("9.0", "9", "number:9"),
        ("1e1", "10", "number:10"),
        ("-1", "-1", "number:-1"),
        ("2.50", "2.5", "number:2.5"),
        (
            "18446744073709551615",
            "18446744073709551615",
            "number:18446744073709551615",
        ),
    ] {
        let started = service
            .log("POST", &format!(r#"{{"userId":{sent}}}"#))
            .await;
        started.assert_started(echoed);
        assert_eq!(service.active(known_as).await, 1, "{sent}");
    }
    let body = |user: &str| format!(r#"{{"userId":{user},"streamId":"{MADE_V4_ID}"}}"#);
    for text in [r#""7""#, "8"] {
        let of_another = service.log("DELETE", &body(text)).await;
        of_another.assert_failed(404, "The conditional request failed");
    }
    service.log("DELETE", &body("7e0")).await.assert_empty(204);
    service
        .log("DELETE", &body(r#""8""#))
        .await
        .assert_empty(204);
}

#[tokio::test]
async fn a_user_is_echoed_as_it_was_sent() {
    let service = Service::open();
    for user in [r#""Jürgen \"<b>\" 😀""#, r#"" ""#, r#""001""#] {
        let started = service
            .log("POST", &format!(r#"{{"userId":{user}}}"#))
            .await;
        started.assert_started(user);
    }
}

/// What is wrong with a body as a whole, and with its `userId`.
fn wrong_bodies_and_users() -> (Vec<&'static str>, Vec<(String, &'static str)>) {
    let bodies = vec![
        "",
        " ",
        "{",
        r#"{"userId":"u""#,
        "[]",
        r#""u""#,
        "null",
        "7",
        r#"{"userId":1e400}"#,
        r#"{"userId":"\ud800"}"#,
    ];
    let long = format!(r#""{}""#, "x".repeat(257));
    let users = [
        (r#""""#, "Request missing userId"),
        ("null", "Request missing userId"),
        ("true", "userId must be a text or a number"),
        ("[]", "userId must be a text or a number"),
        (r#"["u"]"#, "userId must be a text or a number"),
        ("{}", "userId must be a text or a number"),
        (r#""\n""#, "userId must not contain control characters"),
        (&long, "userId must be at most 256 bytes long, is 257"),
        (
            "1e300",
            "userId is a number of too many digits; send it as text",
        ),
        (
            "18446744073709551616",
            "userId is a number of too many digits; send it as text",
        ),
    ];
    let users = users.map(|(user, complaint)| (user.to_owned(), complaint));
    (bodies, users.into())
}

#[tokio::test]
async fn a_start_that_names_no_user_is_a_400() {
    let service = Service::open();
    let (bodies, users) = wrong_bodies_and_users();
    for body in bodies {
        let answer = service.log("POST", body).await;
        assert_eq!(answer.status, 400, "{body}");
        let error = answer.json()["message"]["error"].clone();
        assert!(error.as_str().unwrap().starts_with("body "), "{error}");
    }
    for (user, complaint) in users {
        let answer = service
            .log("POST", &format!(r#"{{"userId":{user}}}"#))
            .await;
        answer.assert_failed(400, complaint);
    }
    let missing = service.log("POST", r#"{"userid":"u"}"#).await;
    missing.assert_failed(400, "Request missing userId");
    service.assert_no_users().await;
}

#[tokio::test]
async fn an_end_that_names_no_stream_is_a_404_that_names_the_field() {
    let service = Service::open();
    let (bodies, users) = wrong_bodies_and_users();
    for body in bodies {
        let answer = service.log("DELETE", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["statusCode"], 400);
    }
    for (user, complaint) in users {
        let body = format!(r#"{{"userId":{user},"streamId":"s"}}"#);
        let answer = service.log("DELETE", &body).await;
        answer.assert_failed(404, complaint);
    }
    let long = Value::from("x".repeat(129)).to_string();
    for (stream, complaint) in [
        (r#""""#, "Request missing streamId"),
        ("null", "Request missing streamId"),
        ("7", "streamId must be a text"),
        ("true", "streamId must be a text"),
        ("[]", "streamId must be a text"),
        (
            r#""\u0000""#,
            "streamId must not contain control characters",
        ),
        (&long, "streamId must be at most 128 bytes long, is 129"),
    ] {
        let body = format!(r#"{{"userId":"u","streamId":{stream}}}"#);
        let answer = service.log("DELETE", &body).await;
        answer.assert_failed(404, complaint);
    }
    for (body, complaint) in [
        (r#"{"userId":"u"}"#, "Request missing streamId"),
        (r#"{"streamId":"s"}"#, "Request missing userId"),
        ("{}", "Request missing userId"),
    ] {
        let answer = service.log("DELETE", body).await;
        answer.assert_failed(404, complaint);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_in_the_same_shape() {
    let service = Service::open();
    let body = stream("u", &"x".repeat(16 * 1024));
    for method in ["POST", "DELETE"] {
        let answer = service.log(method, &body).await;
        answer.assert_failed(413, "the body must be at most 16384 bytes long");
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_no_calls() {
    let service = Service::open();
    for (method, path) in [
        ("GET", "/dev/stream"),
        ("PUT", "/dev/stream"),
        ("POST", "/stream"),
        ("POST", "//stream"),
        ("POST", "/dev/Stream"),
        ("POST", "/dev/a/stream"),
        ("DELETE", "/"),
    ] {
        let path = format!("/compat/stream-log{path}");
        let answer = service
            .raw(method, &path, "application/json", r#"{"userId":"u"}"#)
            .await;
        answer.assert_failed(404, "there is no such call");
    }
    let head = service.call("HEAD", STREAM).await;
    head.assert_empty(404);
    service.assert_no_users().await;
}

#[tokio::test]
async fn a_store_that_is_down_is_a_503_that_says_when_to_try_again() {
    let service = Service::open();
    service.break_store().await;
    for method in ["POST", "DELETE"] {
        let answer = service.log(method, &stream("u", "s")).await;
        answer.assert_failed(
            503,
            "the store cannot be used now; send the same request again",
        );
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn too_many_requests_about_a_user_are_a_429_for_both_calls() {
    let service = Service::once_a_second();
    service
        .log("POST", r#"{"userId":7}"#)
        .await
        .assert_started("7");
    for method in ["POST", "DELETE"] {
        let answer = service
            .log(method, r#"{"userId":7.0,"streamId":"s"}"#)
            .await;
        answer.assert_failed(429, "too many requests about this user");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn a_key_is_asked_for_where_there_are_keys() {
    let body = r#"{"userId":"u"}"#;
    let service = Service::keyed();
    // The key is checked before the body.
    for body in [body, ""] {
        let anonymous = service.log("POST", body).await;
        anonymous.assert_failed(401, "the request brings no API key");
    }
    let unknown = service.call_as("nope", "DELETE", STREAM).await;
    unknown.assert_failed(401, "the API key is not known");
    let player = service.call_as("player", "POST", STREAM).await;
    assert_eq!(player.status, 400, "{}", player.text());
}

/// What JavaScript takes for false was missing to the original.
#[tokio::test]
async fn a_user_that_counts_as_false_is_missing() {
    let service = Service::open();
    for user in ["0", "-0", "0.0", "0e5", "false", "null", r#""""#] {
        let body = format!(r#"{{"userId":{user},"streamId":"s"}}"#);
        let start = service.log("POST", &body).await;
        start.assert_failed(400, "Request missing userId");
        let end = service.log("DELETE", &body).await;
        end.assert_failed(404, "Request missing userId");
    }
    // A documented difference: the original made users of these.
    for user in ["true", "[]", r#"{"a":1}"#] {
        let start = service
            .log("POST", &format!(r#"{{"userId":{user}}}"#))
            .await;
        start.assert_failed(400, "userId must be a text or a number");
    }
    service.assert_no_users().await;
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let service = Service::open();
    let path = format!("{STREAM}/");
    let json = "application/json";
    let started = service.raw("POST", &path, json, r#"{"userId":"u"}"#).await;
    started.assert_started(r#""u""#);
    let body = format!(r#"{{"userId":"u","streamId":"{MADE_V4_ID}"}}"#);
    service
        .raw("DELETE", &path, json, body)
        .await
        .assert_empty(204);
    let get = service.get(&path).await;
    get.assert_failed(404, "there is no such call");
}

#[tokio::test]
async fn a_compressed_body_is_refused_as_such() {
    let service = Service::open();
    for method in ["POST", "DELETE"] {
        let mut ask = request(method, STREAM, vec![0x1f, 0x8b, 8].into());
        let headers = ask.headers_mut();
        headers.insert("content-encoding", "gzip".parse().unwrap());
        let answer = service.send(ask).await;
        answer.assert_failed(
            415,
            "the body must be sent as it is, without a content encoding",
        );
    }
}
