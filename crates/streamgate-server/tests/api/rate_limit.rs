//! Rates of callers and users.

use std::num::NonZeroU32;

use axum::body::Body;
use serde_json::json;
use streamgate_server::{RateLimitSettings, ServerSettings};

use crate::support::{Answer, Service, keys, request};

/// So slow that a test never waits long enough for the next request.
fn service(per_key: Option<u32>, per_user: Option<u32>, keyed: bool) -> Service {
    Service::with(ServerSettings {
        keys: if keyed { keys() } else { Default::default() },
        rate_limit: RateLimitSettings {
            per_key_per_s: per_key.and_then(NonZeroU32::new),
            per_user_per_s: per_user.and_then(NonZeroU32::new),
        },
        ..ServerSettings::default()
    })
}

#[track_caller]
fn assert_limited(answer: &Answer) {
    answer.assert_problem(429, "too_many_requests");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(seconds, 1);
}

#[tokio::test]
async fn by_default_there_is_no_limit() {
    let service = Service::open();
    for _ in 0..200 {
        assert_eq!(service.get("/v1/users/u/sessions").await.status, 200);
    }
}

#[tokio::test]
async fn every_key_has_its_own_rate() {
    let service = service(Some(2), None, true);
    let path = "/v1/users/u/sessions";
    for key in ["player", "service"] {
        for _ in 0..2 {
            assert_eq!(service.call_as(key, "GET", path).await.status, 200);
        }
        assert_limited(&service.call_as(key, "GET", path).await);
    }
    // Those who are not known have no rate, and what operators ask is free.
    assert_eq!(service.call("GET", path).await.status, 401);
    assert_eq!(service.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn without_keys_callers_are_told_apart_by_address() {
    let service = service(Some(1), None, false);
    let path = "/v1/users/u/sessions";
    assert_eq!(service.get(path).await.status, 200);
    assert_limited(&service.get(path).await);
    assert_limited(
        &service
            .send(request("GET", "/v1/sessions", Body::empty()))
            .await,
    );
}

#[tokio::test]
async fn every_user_has_its_own_rate_whoever_asks() {
    let service = service(None, Some(1), true);
    let a = "/v1/users/a/sessions";
    assert_eq!(service.call_as("player", "GET", a).await.status, 200);
    assert_limited(&service.call_as("admin", "DELETE", "/v1/users/a").await);
    let b = "/v1/users/b/sessions";
    assert_eq!(service.call_as("player", "GET", b).await.status, 200);
    // The same name in another tenant is another user.
    assert_eq!(service.call_as("other", "GET", a).await.status, 200);
}

#[tokio::test]
async fn a_batch_counts_once_for_its_caller_and_not_for_its_users() {
    let service = service(Some(1), Some(1), true);
    let beat = json!({"user_id": "u", "session_id": "s"});
    let mut batch = request(
        "POST",
        "/v1/heartbeats",
        Body::from(json!({"heartbeats": [beat, beat]}).to_string()),
    );
    let headers = batch.headers_mut();
    headers.insert("x-api-key", "player".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let answer = service.send(batch).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["failed"][1]["code"], "session_unknown");
    assert_limited(&service.call_as("player", "POST", "/v1/heartbeats").await);
}
