//! `GET /v1/users`

use serde_json::{Value, json};

use crate::support::Service;

#[tokio::test]
async fn users_are_listed_as_they_are_told_one_by_one() {
    let service = Service::open();
    service
        .get("/v1/users")
        .await
        .assert_json(200, &json!({"users": [], "next_cursor": null}));
    service.start(&["a"]).await;
    service
        .json("PUT", "/v1/users/v", &json!({"limit": 9}))
        .await;
    let users = [
        service.get("/v1/users/u").await.json(),
        service.get("/v1/users/v").await.json(),
    ];
    service
        .get("/v1/users")
        .await
        .assert_json(200, &json!({"users": users, "next_cursor": null}));
}

#[tokio::test]
async fn pages_hold_every_user_exactly_once() {
    let service = Service::open();
    for i in 0..25 {
        let path = format!("/v1/users/user-{i:02}/sessions");
        assert_eq!(service.call("POST", &path).await.status, 201);
    }
    let mut seen = Vec::new();
    let mut path = "/v1/users?page_size=10".to_owned();
    loop {
        let page = service.get(&path).await.json();
        let users = page["users"].as_array().unwrap();
        assert!(users.len() <= 10);
        seen.extend(
            users
                .iter()
                .map(|user| user["user_id"].as_str().unwrap().to_owned()),
        );
        match &page["next_cursor"] {
            Value::String(cursor) => path = format!("/v1/users?cursor={cursor}&page_size=10"),
            end => {
                assert_eq!(*end, Value::Null);
                break;
            }
        }
    }
    let all: Vec<String> = (0..25).map(|i| format!("user-{i:02}")).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn users_of_another_tenant_are_not_listed() {
    let service = Service::keyed();
    let path = "/v1/users/u/sessions";
    service.call_as("player", "POST", path).await;
    let page = service.call_as("other", "GET", "/v1/users").await.json();
    assert_eq!(page["users"], json!([]));
    let page = service.call_as("admin", "GET", "/v1/users").await.json();
    assert_eq!(page["users"][0]["user_id"], "u");
}
