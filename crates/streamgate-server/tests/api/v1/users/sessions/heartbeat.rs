//! `POST /v1/users/{user_id}/sessions/{session_id}/heartbeat`

use serde_json::json;

use crate::support::{BEGIN, ONE_LEASE_LATER, Service};

fn path(id: &str) -> String {
    format!("/v1/users/u/sessions/{id}/heartbeat")
}

#[tokio::test]
async fn a_heartbeat_renews_the_lease() {
    let service = Service::open();
    service.start(&["a", "b"]).await;
    service.advance(60);
    service.call("POST", &path("a")).await.assert_json(
        200,
        &json!({
            "session_id": "a", "expires_at": "2026-11-21T06:32:30.000Z",
            "heartbeat_interval_s": 30, "limit": 3, "active": 2,
        }),
    );
}

#[tokio::test]
async fn any_body_is_accepted_and_ignored() {
    let service = Service::open();
    service.start(&["a"]).await;
    for (content_type, body) in [
        ("application/json", "{\"nonsense\": ["),
        ("text/plain", "hello"),
        ("image/png", ""),
    ] {
        let answer = service.raw("POST", &path("a"), content_type, body).await;
        assert_eq!(answer.status, 200);
    }
    for length in [16 * 1024 + 1, 64 * 1024, 1024 * 1024] {
        let large = "x".repeat(length);
        let answer = service.raw("POST", &path("a"), "text/plain", large).await;
        assert_eq!(answer.status, 200, "{length}");
    }
}

#[tokio::test]
async fn a_late_heartbeat_starts_the_session_again_if_a_slot_is_free() {
    let service = Service::open();
    service.start(&["a"]).await;
    service.advance(90 + 9 * 60);
    service.call("POST", &path("a")).await.assert_json(
        200,
        &json!({
            "session_id": "a", "expires_at": "2026-11-21T06:42:00.000Z",
            "heartbeat_interval_s": 30, "limit": 3, "active": 1, "revived": true,
        }),
    );
    let answer = service.call("POST", &path("a")).await;
    assert!(answer.json().get("revived").is_none(), "once is enough");
}

#[tokio::test]
async fn a_late_heartbeat_hears_why_if_no_slot_is_free() {
    let service = Service::open();
    service.start(&["a"]).await;
    service.advance(90);
    service.start(&["b", "c", "d"]).await;
    let problem = service
        .call("POST", &path("a"))
        .await
        .assert_problem(410, "session_ended");
    assert_eq!(problem["reason"], "expired");
    assert_eq!(problem["ended_at"], ONE_LEASE_LATER);
    assert!(problem.get("taken_by").is_none());
}

#[tokio::test]
async fn an_ended_session_says_why_when_and_by_whom() {
    let service = Service::open();
    service.start(&["stopped"]).await;
    service.call("DELETE", "/v1/users/u/sessions/stopped").await;
    service.start(&["terminated"]).await;
    let body = json!({"terminate": ["terminated"]});
    service
        .json("PUT", "/v1/users/u/sessions/heir", &body)
        .await;
    service.start(&["evicted"]).await;
    service.call("DELETE", "/v1/users/u/sessions/heir").await;
    service.set_user("u", &json!({"plan": "rolling"})).await;
    service.start(&["x", "y"]).await;
    for (id, taken_by) in [
        ("stopped", None),
        ("terminated", Some("heir")),
        ("evicted", Some("y")),
    ] {
        let problem = service
            .call("POST", &path(id))
            .await
            .assert_problem(410, "session_ended");
        assert_eq!(problem["reason"], id);
        assert_eq!(problem["ended_at"], BEGIN);
        assert_eq!(
            problem.get("taken_by"),
            taken_by.map(|id| json!(id)).as_ref()
        );
    }
    service.call("DELETE", "/v1/users/u").await;
    let problem = service
        .call("POST", &path("x"))
        .await
        .assert_problem(410, "session_ended");
    assert_eq!(problem["reason"], "revoked");
}

#[tokio::test]
async fn a_session_that_never_was_or_is_forgotten_is_unknown() {
    let service = Service::open();
    service
        .call("POST", &path("never"))
        .await
        .assert_problem(404, "session_unknown");
    service.start(&["a"]).await;
    service.advance(90 + 10 * 60);
    service
        .call("POST", &path("a"))
        .await
        .assert_problem(404, "session_unknown");
}

#[tokio::test]
async fn limit_0_ends_the_sessions_of_a_user_at_once() {
    let service = Service::open();
    service.start(&["a", "b"]).await;
    let answer = service
        .json("PUT", "/v1/users/u", &json!({"limit": 0}))
        .await;
    assert_eq!(answer.json()["active"], 0);
    let problem = service
        .call("POST", &path("a"))
        .await
        .assert_problem(410, "session_ended");
    assert_eq!(
        (&problem["reason"], &problem["ended_at"]),
        (&json!("revoked"), &json!(BEGIN))
    );
}
