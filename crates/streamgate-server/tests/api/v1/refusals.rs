//! `/v1/refusals`

use serde_json::json;

use crate::support::Service;

const REFUSALS: &str = "/v1/refusals";

/// Starts a session by this key; whether it is admitted does not matter.
async fn start(service: &Service, key: &str, user: &str, id: &str) {
    let path = format!("/v1/users/{user}/sessions/{id}");
    service.call_as(key, "PUT", &path).await;
}

#[tokio::test]
async fn the_last_refusals_of_the_tenant_are_listed_newest_first() {
    let service = Service::keyed();
    for (key, user) in [("admin", "anna"), ("admin", "bob"), ("other", "anna")] {
        for id in ["a", "b", "c", "d", "e"] {
            start(&service, key, user, id).await;
        }
    }
    let list = async |key: &'static str, path: &'static str| {
        let body = service.call_as(key, "GET", path).await.json();
        assert_eq!(body["scope"], "node");
        let refusals = body["refusals"].as_array().unwrap().iter();
        let pairs = refusals.map(|it| (it["user_id"].clone(), it["asked"]["session_id"].clone()));
        pairs.collect::<Vec<_>>()
    };
    let is = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(user, id)| (json!(user), json!(id)));
        pairs.collect::<Vec<_>>()
    };
    let all = [("bob", "e"), ("bob", "d"), ("anna", "e"), ("anna", "d")];
    assert_eq!(list("admin", REFUSALS).await, is(&all));
    assert_eq!(
        list("admin", "/v1/refusals?page_size=1").await,
        is(&all[..1])
    );
    assert_eq!(list("other", REFUSALS).await, is(&all[2..]));
}

#[tokio::test]
async fn only_an_admin_may_list_them_and_the_size_is_checked() {
    let service = Service::keyed();
    for key in ["player", "service"] {
        let answer = service.call_as(key, "GET", REFUSALS).await;
        answer.assert_problem(403, "forbidden");
    }
    for (query, field) in [
        ("page_size=0", "page_size"),
        ("page_size=101", "page_size"),
        ("page_size=+1", "page_size"),
        ("cursor=x", "cursor"),
    ] {
        let path = format!("{REFUSALS}?{query}");
        let answer = service.call_as("admin", "GET", &path).await;
        answer.assert_invalid(&[field]);
    }
    let answer = service
        .call_as("admin", "GET", "/v1/refusals?page_size=1&page_size=2")
        .await;
    answer.assert_invalid(&["page_size"]);
}
