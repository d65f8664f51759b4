//! Viewers: what a token permits, on every call, and how one that is not accepted is refused.

mod accepted;
mod dialects;
mod entitlement;
mod issuer_keys;

use std::num::NonZeroU32;

use axum::body::Body;
use streamgate_server::{RateLimitSettings, ServerSettings};

use crate::support::viewers::{
    Down, bearing, own_token, service, settings, signing_key, token_at, verifier,
};
use crate::support::{Service, keys, request};

/// Every call under `/v1`, and whether the viewer `u` may make it.
const CALLS: [(bool, &str, &str); 16] = [
    (true, "PUT", "/v1/users/u/sessions/s"),
    (true, "POST", "/v1/users/u/sessions"),
    (true, "POST", "/v1/users/u/sessions/s/heartbeat"),
    (true, "GET", "/v1/users/u/sessions"),
    (true, "POST", "/v1/users/u/sessions/s/stop"),
    (true, "DELETE", "/v1/users/u/sessions/s"),
    (false, "POST", "/v1/heartbeats"),
    (false, "GET", "/v1/users/u"),
    (false, "PUT", "/v1/users/u"),
    (false, "DELETE", "/v1/users/u"),
    (false, "POST", "/v1/users/u/tokens"),
    (false, "GET", "/v1/users"),
    (false, "GET", "/v1/sessions"),
    (false, "POST", "/v1/import"),
    (false, "GET", "/admin/backup"),
    (false, "GET", "/metrics"),
];

fn service_whose_metrics_ask() -> (Service, String) {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        keys: keys(),
        metrics_require_key: true,
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        ..ServerSettings::default()
    });
    (service, own_token(&signing, "u"))
}

#[tokio::test]
async fn a_viewer_acts_for_its_own_user_and_does_nothing_else() {
    let (service, token) = service_whose_metrics_ask();
    for (may, method, path) in CALLS {
        let answer = service.call_with(&token, method, path).await;
        let status = answer.status.as_u16();
        if may {
            assert!(status < 300, "{method} {path}: {}", answer.text());
            // The same call about another user, by every way to write its path.
            for user in ["v", "U", "u%20", "%75%00", "ü"] {
                let other = path.replace("/users/u/", &format!("/users/{user}/"));
                let answer = service.call_with(&token, method, &other).await;
                let status = answer.status.as_u16();
                assert!([400, 403].contains(&status), "{method} {other}: {status}");
            }
            let other = path.replace("/users/u/", "/users/v/");
            let answer = service.call_with(&token, method, &other).await;
            answer.assert_problem(403, "forbidden");
        } else {
            // Not every call exists on every build.
            if status != 404 {
                answer.assert_problem(403, "forbidden");
            }
        }
    }
    // An id that is written in another way is the same id.
    let path = "/v1/users/%75/sessions/s";
    assert_eq!(service.call_with(&token, "PUT", path).await.status, 201);
}

#[tokio::test]
async fn the_fast_path_and_the_router_treat_viewers_alike() {
    let signing = signing_key();
    let service = service(&signing);
    let tokens = [
        own_token(&signing, "u"),
        own_token(&signing, "v"),
        token_at(&signing, "u", 10_000),
        own_token(&signing_key(), "u"),
    ];
    for token in &tokens {
        for (_, method, path) in CALLS {
            let make = || bearing(token, request(method, path, Body::empty()));
            let fast = service.send(make()).await;
            let routed = service.send_to_router(make()).await;
            let is_start = fast.status == 201 || routed.status == 201;
            assert!(fast.status == routed.status || is_start, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_calls_of_a_viewer_have_a_rate_of_their_own() {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        keys: keys(),
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        rate_limit: RateLimitSettings {
            viewer_per_user_per_s: NonZeroU32::new(1),
            ..RateLimitSettings::default()
        },
        ..ServerSettings::default()
    });
    let list = async |token: &str, user: &str| {
        let path = format!("/v1/users/{user}/sessions");
        service.call_with(token, "GET", &path).await.status.as_u16()
    };
    let (first, second) = (own_token(&signing, "u"), own_token(&signing, "u"));
    assert_eq!(list(&first, "u").await, 200);
    // Another token is the same viewer; another viewer is not.
    assert_eq!(list(&second, "u").await, 429);
    assert_eq!(list(&own_token(&signing, "v"), "v").await, 200);
    assert_eq!(list("wrong.wrong.wrong", "u").await, 401);
}
