//! Rates of callers and users.
//!
//! The limiter reads the real clock, so a test cannot say which request is the first too many on a
//! machine that may stall; it says that one of many in a row is.

use std::num::NonZeroU32;

use axum::body::Body;
use serde_json::json;
use streamgate_server::{RateLimitSettings, ServerSettings};

use crate::support::viewers::{Down, bearing, own_token, settings, signing_key, verifier};
use crate::support::{Service, keys, request};

const LIST: &str = "/v1/users/u/sessions";

/// More in a row than any rate of these tests lets through.
const MANY: usize = 100;

fn service(per_key: u32, per_user: u32, keyed: bool) -> Service {
    Service::with(ServerSettings {
        keys: if keyed { keys() } else { Default::default() },
        rate_limit: RateLimitSettings {
            per_key_per_s: NonZeroU32::new(per_key),
            per_user_per_s: NonZeroU32::new(per_user),
            ..RateLimitSettings::default()
        },
        ..ServerSettings::default()
    })
}

/// Calls until a call is one too many.
async fn assert_limited(service: &Service, key: &str, method: &str, path: &str) {
    for _ in 0..MANY {
        let answer = service.call_as(key, method, path).await;
        if answer.status == 429 {
            answer.assert_problem(429, "too_many_requests");
            assert_eq!(answer.header("retry-after"), Some("1"));
            return;
        }
    }
    panic!("{MANY} times {method} {path} were not too many");
}

#[tokio::test]
async fn by_default_there_is_no_limit() {
    let service = Service::open();
    for _ in 0..2 * MANY {
        assert_eq!(service.get(LIST).await.status, 200);
    }
}

#[tokio::test]
async fn every_key_has_its_own_rate() {
    let service = service(2, 0, true);
    for key in ["player", "service"] {
        for _ in 0..2 {
            assert_eq!(service.call_as(key, "GET", LIST).await.status, 200);
        }
        assert_limited(&service, key, "GET", LIST).await;
    }
    // Those who are not known have no rate, and what operators ask is free.
    for _ in 0..MANY {
        assert_eq!(service.call("GET", LIST).await.status, 401);
        assert_eq!(service.get("/healthz").await.status, 200);
    }
}

#[tokio::test]
async fn without_keys_callers_are_told_apart_by_address() {
    let service = service(1, 0, false);
    assert_eq!(service.get(LIST).await.status, 200);
    assert_limited(&service, "any", "GET", "/v1/sessions").await;
}

#[tokio::test]
async fn every_user_has_its_own_rate_over_all_callers() {
    let service = service(0, 1, true);
    assert_eq!(service.call_as("player", "GET", LIST).await.status, 200);
    assert_limited(&service, "admin", "DELETE", "/v1/users/u").await;
    let another = "/v1/users/v/sessions";
    assert_eq!(service.call_as("player", "GET", another).await.status, 200);
    // The same name in another tenant is another user.
    assert_eq!(service.call_as("other", "GET", LIST).await.status, 200);
}

#[tokio::test]
async fn a_batch_counts_once_for_its_caller_and_not_for_its_users() {
    let service = service(1, 1, true);
    let beat = json!({"user_id": "u", "session_id": "s"});
    let body = json!({"heartbeats": vec![beat; MANY]}).to_string();
    let mut batch = request("POST", "/v1/heartbeats", Body::from(body));
    let headers = batch.headers_mut();
    headers.insert("x-api-key", "player".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let answer = service.send(batch).await;
    assert_eq!(answer.status, 200);
    let last = &answer.json()["failed"][MANY - 1];
    assert_eq!(last["code"], "session_unknown");
    assert_limited(&service, "player", "POST", "/v1/heartbeats").await;
}

#[tokio::test]
async fn the_viewers_of_a_user_have_a_rate_of_their_own() {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        keys: keys(),
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        rate_limit: RateLimitSettings {
            viewer_per_user_per_s: NonZeroU32::new(2),
            ..RateLimitSettings::default()
        },
        ..ServerSettings::default()
    });
    let list = async |token: &str, path: &str| {
        let request = bearing(token, request("GET", path, Body::empty()));
        service.send(request).await
    };
    let tokens = [own_token(&signing, "u"), own_token(&signing, "u")];
    let mut limited = None;
    // All devices together: each has a token of its own.
    for token in tokens.iter().cycle().take(MANY) {
        let answer = list(token, LIST).await;
        if answer.status == 429 {
            limited = Some(answer);
            break;
        }
        assert_eq!(answer.status, 200);
    }
    let limited = limited.expect("they were not too many");
    limited.assert_problem(429, "too_many_requests");
    assert_eq!(limited.header("retry-after"), Some("1"));
    // Calls about another user use up nothing, and neither do keys.
    let other = own_token(&signing, "v");
    for _ in 0..MANY {
        assert_eq!(list(&other, LIST).await.status, 403);
        assert_eq!(service.call_as("player", "GET", LIST).await.status, 200);
    }
    assert_eq!(list(&other, "/v1/users/v/sessions").await.status, 200);
}

/// Several devices, each of which tries again at once, do not reach the default.
#[tokio::test]
async fn fifty_calls_at_once_are_within_the_default_rate_of_viewers() {
    let signing = signing_key();
    let service = crate::support::viewers::service(&signing);
    let token = own_token(&signing, "u");
    for _ in 0..50 {
        let request = bearing(&token, request("GET", LIST, Body::empty()));
        assert_eq!(service.send(request).await.status, 200);
    }
}
