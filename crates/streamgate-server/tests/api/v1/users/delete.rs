//! `DELETE /v1/users/{user_id}`

use serde_json::json;

use crate::support::Service;

const PATH: &str = "/v1/users/u";

#[tokio::test]
async fn erasing_ends_all_sessions_and_leaves_nothing() {
    let service = Service::open();
    service.start(&["a", "b"]).await;
    service
        .json("PUT", PATH, &json!({"limit": 5, "profile": {"k": "v"}}))
        .await;
    service.call("DELETE", PATH).await.assert_empty(204);
    service.get(PATH).await.assert_problem(404, "not_found");
    let list = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(list["active"], 0);
    assert_eq!(list["limit"], 3);
    service.assert_no_users().await;
}

#[tokio::test]
async fn erasing_is_idempotent_also_for_a_user_never_seen() {
    let service = Service::open();
    for _ in 0..2 {
        service.call("DELETE", PATH).await.assert_empty(204);
    }
}
