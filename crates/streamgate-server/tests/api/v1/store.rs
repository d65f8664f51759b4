//! What every endpoint says when the store cannot be used, or a record cannot be read.

use serde_json::json;

use crate::support::Service;

const CALLS: [(&str, &str); 10] = [
    ("POST", "/v1/users/u/sessions"),
    ("PUT", "/v1/users/u/sessions/s"),
    ("POST", "/v1/users/u/sessions/s/heartbeat"),
    ("DELETE", "/v1/users/u/sessions/s"),
    ("POST", "/v1/users/u/sessions/s/stop"),
    ("GET", "/v1/users/u/sessions"),
    ("GET", "/v1/users/u"),
    ("DELETE", "/v1/users/u"),
    ("GET", "/v1/users"),
    ("GET", "/v1/sessions"),
];

#[tokio::test]
async fn a_store_that_cannot_be_used_is_503_everywhere() {
    let service = Service::open();
    service.start(&["s"]).await;
    service.break_store().await;
    for (method, path) in CALLS {
        service.call(method, path).await.assert_store_unavailable();
    }
    service
        .json("PUT", "/v1/users/u", &json!({"limit": 1}))
        .await
        .assert_store_unavailable();
}

#[tokio::test]
async fn a_damaged_record_is_500_everywhere_and_says_nothing_about_itself() {
    let service = Service::open();
    service.damage("u").await;
    for (method, path) in CALLS {
        let problem = service
            .call(method, path)
            .await
            .assert_problem(500, "internal");
        assert_eq!(problem["detail"], "the request could not be answered");
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_used_does_not_hide_bad_input() {
    let service = Service::open();
    service.break_store().await;
    service
        .json("PUT", "/v1/users/u", &json!({"limit": -1}))
        .await
        .assert_invalid(&["limit"]);
}
