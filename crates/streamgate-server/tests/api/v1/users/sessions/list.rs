//! `GET /v1/users/{user_id}/sessions`

use serde_json::json;

use crate::support::{ONE_LEASE_LATER, Service, fresh};

const PATH: &str = "/v1/users/u/sessions";

#[tokio::test]
async fn a_user_never_seen_has_no_sessions() {
    Service::open().get(PATH).await.assert_json(
        200,
        &json!({"user_id": "u", "limit": 3, "active": 0, "sessions": []}),
    );
}

#[tokio::test]
async fn sessions_are_listed_in_the_order_of_their_starts() {
    let service = Service::open();
    service.start(&["b", "a"]).await;
    service.get(PATH).await.assert_json(
        200,
        &json!({
            "user_id": "u", "limit": 3, "active": 2, "sessions": [fresh("b"), fresh("a")],
        }),
    );
}

#[tokio::test]
async fn the_next_slot_is_told_at_the_limit_only() {
    let service = Service::open();
    service.start(&["a", "b"]).await;
    assert!(service.get(PATH).await.json().get("next_slot_at").is_none());
    service.start(&["c"]).await;
    assert_eq!(
        service.get(PATH).await.json()["next_slot_at"],
        ONE_LEASE_LATER
    );
    service
        .json("PUT", "/v1/users/u", &json!({"limit": 0}))
        .await;
    assert!(service.get(PATH).await.json().get("next_slot_at").is_none());
}

#[tokio::test]
async fn a_session_past_its_lease_is_not_listed() {
    let service = Service::open();
    service.start(&["a"]).await;
    service.advance(90);
    assert_eq!(service.get(PATH).await.json()["sessions"], json!([]));
}
