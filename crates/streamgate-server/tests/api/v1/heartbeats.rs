//! `POST /v1/heartbeats`

use serde_json::{Value, json};

use crate::support::Service;

const PATH: &str = "/v1/heartbeats";

fn beat(user: &str, session: &str) -> Value {
    json!({"user_id": user, "session_id": session})
}

async fn send(service: &Service, heartbeats: &[Value]) -> Value {
    let answer = service
        .json("POST", PATH, &json!({"heartbeats": heartbeats}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn all_that_succeed_are_only_counted() {
    let service = Service::open();
    service.start(&["a", "b"]).await;
    service.advance(30);
    assert_eq!(
        send(&service, &[beat("u", "a"), beat("u", "b")]).await,
        json!({
            "renewed": 2, "expires_at": "2026-11-21T06:32:00.000Z", "heartbeat_interval_s": 30,
            "failed": [],
        })
    );
}

#[tokio::test]
async fn an_empty_batch_is_no_mistake() {
    assert_eq!(
        send(&Service::open(), &[]).await,
        json!({"renewed": 0, "heartbeat_interval_s": 30, "failed": []})
    );
}

#[tokio::test]
async fn what_did_not_succeed_is_listed_in_order_with_what_it_would_have_been_told() {
    let service = Service::open();
    service.start(&["live", "ended"]).await;
    service.call("DELETE", "/v1/users/u/sessions/ended").await;
    let long = "x".repeat(257);
    let batch = [
        beat("u", "never"),
        beat("u", "live"),
        beat("u", "ended"),
        beat("", "s"),
        beat(&long, "live"),
    ];
    let answer = send(&service, &batch).await;
    assert_eq!(answer["renewed"], 1);
    assert_eq!(
        answer["failed"],
        json!([
            {"index": 0, "user_id": "u", "session_id": "never", "status": 404,
             "code": "session_unknown"},
            {"index": 2, "user_id": "u", "session_id": "ended", "status": 410,
             "code": "session_ended", "reason": "stopped"},
            {"index": 3, "user_id": "", "session_id": "s", "status": 400,
             "code": "invalid_request", "detail": "user_id must not be empty"},
            {"index": 4, "user_id": long, "session_id": "live", "status": 400,
             "code": "invalid_request",
             "detail": "user_id must be at most 256 bytes long, is 257"},
        ])
    );
}

#[tokio::test]
async fn a_revived_session_counts_as_renewed() {
    let service = Service::open();
    service.start(&["a"]).await;
    service.advance(100);
    let answer = send(&service, &[beat("u", "a")]).await;
    assert_eq!(answer["renewed"], 1);
    assert_eq!(answer["expires_at"], "2026-11-21T06:33:10.000Z");
}

#[tokio::test]
async fn a_thousand_fit_and_one_more_does_not() {
    let service = Service::open();
    let answer = send(&service, &vec![beat("u", "never"); 1_000]).await;
    assert_eq!(answer["failed"][999]["index"], 999);
    let body = json!({"heartbeats": vec![beat("u", "never"); 1_001]});
    service
        .json("POST", PATH, &body)
        .await
        .assert_invalid(&["heartbeats"]);
}

#[tokio::test]
async fn a_body_that_is_wrong_as_a_whole_is_refused_as_a_whole() {
    let service = Service::open();
    for (body, field) in [
        ("", "heartbeats"),
        ("{}", "heartbeats"),
        ("[]", "body"),
        (r#"{"heartbeats": {}}"#, "heartbeats"),
        (r#"{"heartbeats": null}"#, "heartbeats"),
        (r#"{"heartbeats": [["u", "s"]]}"#, "heartbeats[0]"),
        (
            r#"{"heartbeats": [{"user_id": "u"}]}"#,
            "heartbeats[0].session_id",
        ),
        (
            r#"{"heartbeats": [{"user_id": 1, "session_id": "s"}]}"#,
            "heartbeats[0].user_id",
        ),
        (
            r#"{"heartbeats": [{"user_id": "u", "session_id": "s", "x": 1}]}"#,
            "heartbeats[0].x",
        ),
        (r#"{"heartbeats": [], "more": 1}"#, "more"),
    ] {
        service
            .raw("POST", PATH, "application/json", body)
            .await
            .assert_invalid(&[field]);
    }
}

#[tokio::test]
async fn ids_may_be_escaped_in_json() {
    let service = Service::open();
    let path = "/v1/users/%C3%BC%2F%22/sessions/s";
    assert_eq!(service.call("PUT", path).await.status, 201);
    let body = r#"{"heartbeats": [{"user_id": "\u00fc/\"", "session_id": "\u0073"}]}"#;
    let answer = service.raw("POST", PATH, "application/json", body).await;
    assert_eq!(answer.json()["renewed"], 1, "{}", answer.text());
}

#[tokio::test]
async fn the_body_may_have_256_kib() {
    let service = Service::open();
    let padded = |len: usize| format!("{}{}", r#"{"heartbeats":[]}"#, " ".repeat(len - 17));
    let answer = service
        .raw("POST", PATH, "application/json", padded(256 * 1024))
        .await;
    assert_eq!(answer.status, 200);
    service
        .raw("POST", PATH, "application/json", padded(256 * 1024 + 1))
        .await
        .assert_problem(413, "body_too_large");
}

#[tokio::test]
async fn a_store_that_fails_for_every_entry_fails_the_call() {
    let service = Service::open();
    service.start(&["a"]).await;
    service.break_store().await;
    service
        .json("POST", PATH, &json!({"heartbeats": [beat("u", "a")]}))
        .await
        .assert_store_unavailable();
    // One entry that is wrong by itself has its own answer, so the others get theirs too.
    let answer = send(&service, &[beat("u", "a"), beat("u", "")]).await;
    assert_eq!(answer["renewed"], 0);
    assert_eq!(answer["failed"][0]["status"], 503);
    assert_eq!(answer["failed"][0]["code"], "store_unavailable");
    assert_eq!(answer["failed"][1]["status"], 400);
}

#[tokio::test]
async fn a_damaged_record_fails_its_own_entry() {
    let service = Service::open();
    service.start(&["a"]).await;
    service.damage("v").await;
    let answer = send(&service, &[beat("v", "a"), beat("u", "a")]).await;
    assert_eq!(answer["renewed"], 1);
    assert_eq!(answer["failed"][0]["status"], 500);
    assert_eq!(answer["failed"][0]["code"], "internal");
}
