//! What is missing, or wrong: in bodies, queries and paths.

use serde_json::{Value, json};

use super::{AT, TEXT};
use crate::support::Service;

#[tokio::test]
async fn a_query_that_names_no_user_is_a_bad_request() {
    let service = Service::open();
    service.create_u().await;
    let long = format!("?id={}", "x".repeat(257));
    for query in [
        "",
        "?id=",
        "?ID=u",
        "?id=u&id=u",
        "?id=zzz",
        "?id=%FF",
        "?id=%00",
        &long,
    ] {
        let answer = service.requests_get(&format!("/getuser{query}")).await;
        answer.assert_plain(400, "Bad Request");
    }
}

#[tokio::test]
async fn a_stream_request_without_a_known_user_and_a_stream_is_a_bad_request() {
    let service = Service::open();
    service.create_u().await;
    let long = json!({ "id": "u", "stream": "x".repeat(129) }).to_string();
    for body in [
        "{}",
        r#"{"id":"u"}"#,
        r#"{"stream":"s"}"#,
        r#"{"id":"u","stream":""}"#,
        r#"{"id":"u","stream":null}"#,
        r#"{"id":"u","stream":["s"]}"#,
        r#"{"id":"u","stream":0.5}"#,
        r#"{"id":"u","stream":"\u0000"}"#,
        r#"{"id":"","stream":"s"}"#,
        r#"{"id":true,"stream":"s"}"#,
        r#"{"id":"nobody","stream":"s"}"#,
        &long,
    ] {
        let answer = service
            .requests_post("/requeststream", body.to_owned())
            .await;
        answer.assert_plain(400, "Bad Request");
    }
    // It was counted once, in the original.
    let nobody = service.get("/v1/users/nobody").await;
    nobody.assert_problem(404, "not_found");
    assert_eq!(service.active("u").await, 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_user_is_said() {
    let service = Service::open();
    let long = "x".repeat(257);
    let with = |member: &str, value: Value| {
        let mut body = json!({ "Name": "N", "Subscription": "S", "id": "u" });
        body[member] = value;
        body
    };
    for (body, complaint) in [
        (with("Name", Value::Null), "Name must be given"),
        (with("Name", json!("")), "Name must not be empty"),
        (with("Name", json!(7)), "Name must be a text"),
        (
            with("Name", json!(long)),
            "Name must be at most 256 bytes long, is 257",
        ),
        (
            with("Name", json!("\u{0}")),
            "Name must not contain control characters",
        ),
        (
            with("Subscription", json!(["S"])),
            "Subscription must be a text",
        ),
        (
            with("Subscription", json!("\n")),
            "Subscription must not contain control characters",
        ),
        (with("id", json!("")), "id must not be empty"),
        (
            with("id", json!(0.5)),
            "id must be a text or a whole number",
        ),
        (with("id", json!({})), "id must be a text or a whole number"),
        (
            with("id", json!(long)),
            "id must be at most 256 bytes long, is 257",
        ),
    ] {
        let answer = service.requests_post("/createuser", body.to_string()).await;
        answer.assert_plain(400, complaint);
    }
    for (body, complaint) in [
        ("{}", "id must be given"),
        (r#"{"id":null}"#, "id must be given"),
        (r#"{"id":""}"#, "id must not be empty"),
        (r#"{"id":[]}"#, "id must be a text or a whole number"),
    ] {
        let answer = service.requests_post("/removeuser", body).await;
        answer.assert_plain(400, complaint);
    }
    service.assert_no_users().await;
}

#[tokio::test]
async fn a_body_that_is_no_object_is_a_400_everywhere() {
    let service = Service::open();
    for path in ["/createuser", "/removeuser", "/requeststream"] {
        for body in ["", "{", "[]", "null", "id=u", "\u{feff}{}"] {
            let answer = service.requests_post(path, body).await;
            assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some(TEXT));
            assert!(answer.text().starts_with("body "), "{}", answer.text());
        }
        let large = format!(r#"{{"id":"{}"}}"#, "x".repeat(20_000));
        let answer = service.requests_post(path, large).await;
        answer.assert_plain(413, "the body must be at most 16384 bytes long");
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_no_calls() {
    let service = Service::open();
    service.create_u().await;
    for (method, path) in [
        ("GET", "/createuser"),
        ("PUT", "/createuser"),
        ("HEAD", "/requeststream"),
        ("DELETE", "/removeuser"),
        ("POST", "/getuser?id=u"),
        ("POST", "/getallusers"),
        ("POST", "/"),
        ("OPTIONS", "/requeststream"),
        ("GET", "/users"),
    ] {
        let answer = service.call(method, &format!("{AT}{path}")).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some(TEXT));
        if method != "HEAD" {
            assert_eq!(answer.text(), "there is no such call");
        }
    }
}
