//! `/v1/users/{user_id}/refusals`

use serde_json::json;
use streamgate_server::rfc3339;

use crate::support::{ONE_LEASE_LATER, Service, fresh};

const REFUSALS: &str = "/v1/users/u/refusals";

fn wall_ms() -> u64 {
    u64::try_from(streamgate_clock::wall_ms()).unwrap()
}

#[tokio::test]
async fn a_refusal_is_remembered_with_who_held_the_slots_and_what_was_asked() {
    let service = Service::open();
    service.start(&["a", "b", "c"]).await;
    let before = rfc3339(wall_ms());
    let asked = json!({
        "device_id": "tv-1", "device_name": "<b>TV</b>", "device_class": "tv",
        "content_id": "film", "content_type": "film", "attributes": {"secret": "x"},
    });
    let refused = service.json("PUT", "/v1/users/u/sessions/d", &asked).await;
    assert_eq!(refused.status, 409);
    let after = rfc3339(wall_ms());
    let mut body = service.get(REFUSALS).await.json();
    let at = body["refusals"][0]["at"].take();
    let at = at.as_str().unwrap();
    assert!(*before <= *at && *at <= *after, "{before} {at} {after}");
    let expected = json!({
        "user_id": "u",
        "scope": "node",
        "refusals": [{
            "at": null,
            "rule": "limit",
            "limit": 3,
            "active": 3,
            "sessions": [fresh("a"), fresh("b"), fresh("c")],
            "sessions_total": 3,
            "next_slot_at": ONE_LEASE_LATER,
            "asked": {
                "session_id": "d", "device_id": "tv-1", "device_name": "<b>TV</b>",
                "device_class": "tv", "content_id": "film", "content_type": "film",
            },
        }],
    });
    assert_eq!(body, expected);
    assert_eq!(body["refusals"][0]["sessions"], refused.json()["sessions"]);
}

#[tokio::test]
async fn the_last_twenty_are_listed_newest_first() {
    let service = Service::open();
    service.get(REFUSALS).await.assert_json(
        200,
        &json!({"user_id": "u", "scope": "node", "refusals": []}),
    );
    service.set_user("u", &json!({"limit": 0})).await;
    for id in 0..25 {
        let path = format!("/v1/users/u/sessions/{id}");
        service
            .call("PUT", &path)
            .await
            .assert_problem(409, "limit_reached");
    }
    let body = service.get(REFUSALS).await.json();
    let refusals = body["refusals"].as_array().unwrap().iter();
    let ids: Vec<&str> = refusals
        .map(|it| it["asked"]["session_id"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (5..25).rev().map(|id| id.to_string()).collect();
    assert_eq!(ids, expected);
    assert_eq!(body["refusals"][0].get("next_slot_at"), None);
}

#[tokio::test]
async fn users_of_another_tenant_are_other_users() {
    let service = Service::keyed();
    for id in ["a", "b", "c", "d"] {
        let path = format!("/v1/users/u/sessions/{id}");
        service.call_as("player", "PUT", &path).await;
    }
    let count = async |key: &'static str| {
        let body = service.call_as(key, "GET", REFUSALS).await.json();
        body["refusals"].as_array().unwrap().len()
    };
    assert_eq!((count("player").await, count("other").await), (1, 0));
}

#[tokio::test]
async fn no_parameter_is_taken() {
    let answer = Service::open()
        .get("/v1/users/u/refusals?page_size=1")
        .await;
    answer.assert_invalid(&["page_size"]);
}
