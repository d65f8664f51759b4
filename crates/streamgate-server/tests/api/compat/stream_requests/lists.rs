//! `GET /getallusers`: every user in one answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{AT, user};
use crate::support::{Service, request};

#[tokio::test]
async fn a_list_without_users_is_valid() {
    let service = Service::open();
    let empty = service.requests_get("/getallusers").await;
    empty.assert_written(r#"{"Users":{}}"#);
    // Who has only a history that is forgotten is not there either.
    service.start(&["x"]).await;
    service.call("DELETE", "/v1/users/u").await;
    let empty = service.requests_get("/getallusers").await;
    empty.assert_written(r#"{"Users":{}}"#);
}

#[tokio::test]
async fn the_list_has_every_user_as_it_is() {
    let service = Service::open();
    service.create_u().await;
    service.request_stream("u", "\"s\"").await;
    let one = service.requests_get("/getallusers").await;
    let only = user(r#""N""#, r#""S""#, &["\"s\""]);
    one.assert_written(&format!(r#"{{"Users":{{"u":{only}}}}}"#));

    // More than two pages of them, and one with a name that JSON must escape.
    for i in 0..250 {
        let path = format!("/v1/users/user-{i}/sessions/s");
        service.call("PUT", &path).await;
    }
    service.call("PUT", "/v1/users/%22q%22/sessions/s").await;
    let all = service.requests_get("/getallusers").await;
    assert_eq!(all.header("content-length"), None);
    let all = all.json();
    let users = all["Users"].as_object().unwrap();
    assert_eq!(users.len(), 252);
    assert_eq!(
        users["u"].to_string(),
        serde_json::from_str::<Value>(&only).unwrap().to_string()
    );
    for id in ["user-0", "user-249", "\"q\""] {
        let streams = &users[id]["Status"]["Online"]["Streams"];
        assert_eq!(*streams, json!({ "activeStreams": 1, "watching": ["s"] }));
    }
}

#[tokio::test]
async fn a_list_breaks_off_where_the_store_fails() {
    let service = Service::open();
    for i in 0..250 {
        let path = format!("/v1/users/user-{i}/sessions/s");
        service.call("PUT", &path).await;
    }
    let ask = request("GET", &format!("{AT}/getallusers"), Body::empty());
    let answer = service.endpoints.answer(ask).await;
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    let mut read = Vec::new();
    for _ in 0..2 {
        let frame = body.frame().await.unwrap().unwrap();
        read.extend_from_slice(&frame.into_data().unwrap());
    }
    service.break_store().await;
    assert!(body.frame().await.unwrap().is_err());
    // The truncated body is not valid JSON.
    let read = String::from_utf8(read).unwrap();
    assert!(read.starts_with(r#"{"Users":{"user-"#), "{read}");
    assert!(!read.ends_with("}}}}}"), "{read}");
    assert!(serde_json::from_str::<Value>(&read).is_err());
}

#[tokio::test]
async fn a_key_lists_the_users_of_its_tenant() {
    let service = Service::keyed();
    let path = "/v1/users/u/sessions/s";
    service.call_as("player", "PUT", path).await;
    let list = format!("{AT}/getallusers");
    let others = service.call_as("other", "GET", &list).await;
    others.assert_written(r#"{"Users":{}}"#);
    let own = service.call_as("admin", "GET", &list).await.json();
    assert_eq!(own["Users"].as_object().unwrap().len(), 1);
}

/// Users who watch as much as one may, under names as long as they may be.
async fn import_busy_users(service: &Service, users: usize) {
    for user in 0..users {
        let id = format!("busy-{user}");
        let limit = json!({ "limit": 1000 });
        let set = service
            .json("PUT", &format!("/v1/users/{id}"), &limit)
            .await;
        assert_eq!(set.status, 200);
        let sessions: Vec<String> = (0..1000).map(|i| format!("{i:0128}")).collect();
        let body = json!({ "users": [{ "user_id": id, "sessions": sessions }] });
        let imported = service.json("POST", "/v1/import", &body).await;
        assert_eq!(imported.json()["started"], 1000, "{}", imported.text());
    }
}

/// A reader that stops reading keeps a page in memory, so a page is short whatever is in it.
#[tokio::test]
async fn a_page_is_short_also_where_users_watch_much() {
    let service = Service::open();
    import_busy_users(&service, 30).await;
    let ask = request("GET", &format!("{AT}/getallusers"), Body::empty());
    let mut body = service.endpoints.answer(ask).await.into_body();
    let (mut lengths, mut all) = (Vec::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let piece = frame.unwrap().into_data().unwrap();
        lengths.push(piece.len());
        all.extend_from_slice(&piece);
    }
    let all: Value = serde_json::from_slice(&all).unwrap();
    assert_eq!(all["Users"].as_object().unwrap().len(), 30);
    // The opening, the first page, and then one user after another.
    assert!(lengths[1] < 1_500_000, "{lengths:?}");
    for length in &lengths[2..] {
        assert!(*length < 200_000, "{lengths:?}");
    }
}

/// On one thread, so that what runs between two turns of this task can be counted.
#[tokio::test]
async fn lists_for_many_readers_let_other_calls_go_on_after_a_few_pages() {
    const READERS: usize = 50;
    let service = Service::open();
    for i in 0..300 {
        service
            .call("PUT", &format!("/v1/users/user-{i}/sessions/s"))
            .await;
    }
    let pages = Arc::new(AtomicUsize::new(0));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..READERS {
        let ask = request("GET", &format!("{AT}/getallusers"), Body::empty());
        let (endpoints, pages) = (service.endpoints.clone(), Arc::clone(&pages));
        readers.spawn(async move {
            let mut body = endpoints.answer(ask).await.into_body();
            while let Some(frame) = body.frame().await {
                frame.unwrap();
                pages.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (mut seen, mut most) = (0, 0);
    while seen < READERS * 5 {
        tokio::task::yield_now().await;
        let now = pages.load(Ordering::Relaxed);
        most = most.max(now - seen);
        seen = now;
    }
    while readers.join_next().await.is_some() {}
    // Two pieces go out at once with the head of an answer.
    assert!(most <= 16, "{most} pages between two turns");
}
