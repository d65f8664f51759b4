//! Plan and limit of a user, as its token says.

use axum::body::Body;
use serde_json::{Value, json};

use crate::support::request;
use crate::support::viewers::{bearing, login_token, service, signing_key};

/// What a token says about its user is recorded with the start, and judged at once.
#[tokio::test]
async fn plan_and_limit_ride_with_the_start() {
    let signing = signing_key();
    let service = service(&signing);
    let user = async || {
        let answer = service.call_as("service", "GET", "/v1/users/u").await;
        let user = answer.json();
        (user["plan"].clone(), user["limit"].clone())
    };
    let start = async |claims: Value, id: &str| {
        let token = login_token("u", &claims);
        let path = format!("/v1/users/u/sessions/{id}");
        service.call_with(&token, "PUT", &path).await
    };
    // `basic` has one slot.
    assert_eq!(start(json!({"plan": "basic"}), "a").await.status, 201);
    assert_eq!(user().await, (json!("basic"), json!(1)));
    let refused = start(json!({"plan": "basic"}), "b").await;
    assert_eq!(refused.assert_problem(409, "limit_reached")["limit"], 1);
    // The token that says more is believed at once; one that says nothing changes nothing.
    assert_eq!(
        start(json!({"plan": "basic", "limit": 2}), "b")
            .await
            .status,
        201
    );
    assert_eq!(start(json!({}), "c").await.status, 409);
    assert_eq!(user().await, (json!("basic"), json!(2)));
    // Null clears.
    assert_eq!(
        start(json!({"plan": null, "limit": null}), "c")
            .await
            .status,
        201
    );
    assert_eq!(user().await, (Value::Null, json!(3)));
    // A limit of 0 ends what is live, and refuses the start.
    let refused = start(json!({"limit": 0}), "d").await;
    assert_eq!(refused.assert_problem(409, "limit_reached")["limit"], 0);
    let beat = service
        .call_as("player", "POST", "/v1/users/u/sessions/a/heartbeat")
        .await;
    assert_eq!(
        beat.assert_problem(410, "session_ended")["reason"],
        "revoked"
    );
}

/// Also a start that only renews a lease. Its document must not say that nothing else changes.
#[tokio::test]
async fn a_start_of_a_live_session_sets_plan_and_limit_too() {
    let signing = signing_key();
    let service = service(&signing);
    let document: Value = service.get("/openapi.json").await.json();
    for (method, path, template) in [
        (
            "PUT",
            "/v1/users/u/sessions/s",
            "/v1/users/{user_id}/sessions/{session_id}",
        ),
        (
            "POST",
            "/v1/users/u/sessions",
            "/v1/users/{user_id}/sessions",
        ),
    ] {
        let start = async |claims: Value| {
            let body = match method {
                "POST" => Body::from(r#"{"session_id":"s"}"#),
                _ => Body::empty(),
            };
            let mut request = request(method, path, body);
            let json = "application/json".parse().unwrap();
            request.headers_mut().insert("content-type", json);
            let token = login_token("u", &claims);
            service.send(bearing(&token, request)).await.status
        };
        start(json!({"plan": null, "limit": null})).await;
        assert_eq!(start(json!({"plan": "basic", "limit": 2})).await, 200);
        let user = service.call_as("service", "GET", "/v1/users/u").await;
        let user = user.json();
        assert_eq!(
            (&user["plan"], &user["limit"]),
            (&json!("basic"), &json!(2))
        );
        let operation = &document["paths"][template][method.to_lowercase()];
        let about = operation["responses"]["200"]["description"].as_str();
        let about = about.unwrap();
        assert!(about.contains("plan or a limit"), "{method}: {about}");
    }
}

#[tokio::test]
async fn a_plan_or_limit_that_cannot_be_used_refuses_the_start_whole() {
    let signing = signing_key();
    let service = service(&signing);
    for claims in [
        json!({"plan": "gone", "limit": 2}),
        json!({"plan": 7, "limit": 2}),
        json!({"limit": 1_001, "plan": "basic"}),
        json!({"limit": "2"}),
    ] {
        let token = login_token("u", &claims);
        for (method, path) in [
            ("PUT", "/v1/users/u/sessions/s"),
            ("POST", "/v1/users/u/sessions"),
        ] {
            let answer = service.call_with(&token, method, path).await;
            answer.assert_problem(403, "entitlement_unusable");
        }
        // What does not start a session does not ask.
        let list = service
            .call_with(&token, "GET", "/v1/users/u/sessions")
            .await;
        assert_eq!(list.status, 200);
    }
    let unknown = service.call_as("service", "GET", "/v1/users/u").await;
    unknown.assert_problem(404, "not_found");
}
