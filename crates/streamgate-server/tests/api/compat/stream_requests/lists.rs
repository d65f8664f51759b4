//! `GET /getallusers`: every user in one answer.

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use streamgate_server::{CompatSettings, ServerSettings};

use super::{AT, user};
use crate::support::{Service, keys, request};

#[tokio::test]
async fn a_list_of_nobody_is_valid() {
    let service = Service::open();
    let nobody = service.requests_get("/getallusers").await;
    nobody.assert_written(r#"{"Users":{}}"#);
    // Who has only a history that is forgotten is not there either.
    service.start(&["x"]).await;
    service.call("DELETE", "/v1/users/u").await;
    let nobody = service.requests_get("/getallusers").await;
    nobody.assert_written(r#"{"Users":{}}"#);
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
    // Nobody can take it for the whole.
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
