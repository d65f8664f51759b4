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

/// Those of them that are about all users.
const LISTS: [&str; 2] = ["/v1/users", "/v1/sessions"];

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
async fn a_damaged_record_is_500_for_its_user_and_says_nothing_about_itself() {
    let service = Service::open();
    service.damage("u").await;
    for (method, path) in CALLS.into_iter().filter(|(_, path)| !LISTS.contains(path)) {
        let problem = service
            .call(method, path)
            .await
            .assert_problem(500, "internal");
        assert_eq!(problem["detail"], "the request could not be answered");
    }
}

#[tokio::test]
async fn lists_leave_out_a_user_whose_record_is_damaged() {
    let service = Service::open();
    service.damage("broken").await;
    service.start(&["s"]).await;
    for path in LISTS {
        let list = service.get(path).await;
        assert_eq!(list.status, 200, "{list:?}");
        let text = list.text();
        assert!(text.contains("\"u\"") && !text.contains("broken"), "{text}");
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

/// A record of the next version, written by a node of the next release.
#[tokio::test]
async fn a_record_of_a_newer_version_is_503_and_left_as_it_is() {
    let service = Service::open();
    assert_eq!(service.get("/readyz").await.status, 200);
    let newer = [&[streamgate_core::codec::NEWEST + 1][..], b"more"].concat();
    service.put_record("u", &newer).await;
    for (method, path) in CALLS {
        let problem = service
            .call(method, path)
            .await
            .assert_problem(503, "store_unavailable");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("newer version"), "{detail}");
    }
    service
        .get("/readyz")
        .await
        .assert_problem(503, "store_unavailable");
    assert_eq!(service.record("u").await, newer, "nothing wrote over it");
    let other = service.call("PUT", "/v1/users/v/sessions/s").await;
    assert_eq!(other.status, 201, "others are served");
}

#[tokio::test]
async fn a_full_store_refuses_starts_and_nothing_else() {
    let service = Service::open();
    service.start(&["s", "t"]).await;
    service.fill_store(true);
    for (method, path) in [
        ("POST", "/v1/users/u/sessions"),
        ("PUT", "/v1/users/u/sessions/new"),
    ] {
        let refused = service.call(method, path).await;
        refused.assert_problem(503, "store_full");
        assert_eq!(refused.header("retry-after"), Some("10"));
    }
    let calls = [
        ("PUT", "/v1/users/u/sessions/s", 200),
        ("POST", "/v1/users/u/sessions/s/heartbeat", 200),
        ("DELETE", "/v1/users/u/sessions/s", 204),
        ("POST", "/v1/users/u/sessions/t/stop", 204),
        ("GET", "/v1/users/u/sessions", 200),
        ("GET", "/v1/users/u", 200),
        ("GET", "/v1/users", 200),
        ("GET", "/v1/sessions", 200),
        ("GET", "/readyz", 200),
        ("DELETE", "/v1/users/u", 204),
    ];
    for (method, path, status) in calls {
        let answer = service.call(method, path).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
    service.fill_store(false);
    service.start(&["again"]).await;
}
