//! `GET /v1/users/{user_id}/sessions`

use serde_json::{Value, json};

use crate::support::{ONE_LEASE_LATER, Service, fresh};

const PATH: &str = "/v1/users/u/sessions";

#[tokio::test]
async fn a_user_never_seen_has_no_sessions() {
    Service::open().get(PATH).await.assert_json(
        200,
        &json!({
            "user_id": "u", "limit": 3, "active": 0, "sessions": [], "sessions_total": 0,
            "next_cursor": null,
        }),
    );
}

#[tokio::test]
async fn sessions_are_listed_in_the_order_of_their_starts() {
    let service = Service::open();
    service.start(&["b"]).await;
    service.advance(1);
    service.start(&["d", "a"]).await;
    let answer = service.get(PATH).await.json();
    assert_eq!(ids(&answer), ["b", "d", "a"]);
    assert_eq!(answer["sessions"][0], fresh("b"));
}

fn ids(answer: &Value) -> Vec<&str> {
    let sessions = answer["sessions"].as_array().unwrap().iter();
    sessions
        .map(|session| session["session_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_follow_each_other_and_each_says_how_many_sessions_there_are() {
    let service = Service::open();
    service.start(&["a", "b", "c"]).await;
    let first = service.get(&format!("{PATH}?page_size=2")).await.json();
    assert_eq!(ids(&first), ["a", "b"]);
    assert_eq!(
        (&first["active"], &first["sessions_total"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(first["next_slot_at"], ONE_LEASE_LATER);
    // A session that ends in between does not shift the next page.
    service.call("DELETE", "/v1/users/u/sessions/b").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = format!("{PATH}?page_size=2&cursor={cursor}");
    let second = service.get(&next).await.json();
    assert_eq!(
        (ids(&second), &second["next_cursor"]),
        (vec!["c"], &json!(null))
    );
    assert_eq!(second["sessions_total"], 2);
}

#[tokio::test]
async fn a_cursor_of_another_list_and_a_misspelt_parameter_are_refused() {
    let service = Service::open();
    service.start(&["a", "b"]).await;
    let sessions = service.get("/v1/sessions?page_size=1").await.json();
    let cursor = sessions["next_cursor"].as_str().unwrap();
    let ours = service.get(&format!("{PATH}?page_size=1")).await.json();
    let ours = ours["next_cursor"].as_str().unwrap();
    for (path, field) in [
        (format!("{PATH}?cursor={cursor}"), "cursor"),
        (format!("{PATH}?cursor=!"), "cursor"),
        (format!("/v1/sessions?cursor={ours}"), "cursor"),
        (format!("{PATH}?page_size=0"), "page_size"),
        (format!("{PATH}?page_size=101"), "page_size"),
        (format!("{PATH}?page=1"), "page"),
    ] {
        service.get(&path).await.assert_invalid(&[field]);
    }
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
