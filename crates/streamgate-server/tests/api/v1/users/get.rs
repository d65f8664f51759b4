//! `GET /v1/users/{user_id}`

use serde_json::json;

use crate::support::Service;

#[tokio::test]
async fn a_user_never_seen_is_not_found() {
    Service::open()
        .get("/v1/users/u")
        .await
        .assert_problem(404, "not_found");
}

#[tokio::test]
async fn a_user_is_known_by_its_sessions() {
    let service = Service::open();
    service.start(&["a"]).await;
    service.get("/v1/users/u").await.assert_json(
        200,
        &json!({
            "user_id": "u", "plan": null, "limit": 3, "limit_source": "default", "profile": {},
            "active": 1,
        }),
    );
    service.advance(90);
    assert_eq!(service.active("u").await, 0);
    service.advance(600);
    service
        .get("/v1/users/u")
        .await
        .assert_problem(404, "not_found");
}

#[tokio::test]
async fn a_user_of_another_tenant_is_not_found() {
    let service = Service::keyed();
    let answer = service
        .call_as("player", "POST", "/v1/users/u/sessions")
        .await;
    assert_eq!(answer.status, 201);
    let answer = service.call_as("service", "GET", "/v1/users/u").await;
    assert_eq!(answer.status, 200);
    service
        .call_as("other", "GET", "/v1/users/u")
        .await
        .assert_problem(404, "not_found");
}
