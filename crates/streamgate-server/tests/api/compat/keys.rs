//! A key that is sent to a dialect which asks for none.

use crate::support::{Answer, Service};

/// Starts a session of user `u` in a dialect that asks for no key.
async fn start_with(service: &Service, key: &str) -> Answer {
    let path = "/compat/user-streams/user-streams/u/s";
    service.call_as(key, "GET", path).await
}

async fn live(service: &Service, key: &str) -> u64 {
    let path = "/v1/users/u/sessions";
    let answer = service.call_as(key, "GET", path).await;
    answer.json()["active"].as_u64().unwrap()
}

#[tokio::test]
async fn it_says_whose_users_are_meant_in_every_dialect() {
    let service = Service::keyed();
    assert_eq!(start_with(&service, "other").await.status, 200);
    assert_eq!(live(&service, "other").await, 1);
    assert_eq!(live(&service, "admin").await, 0, "of another tenant");
    // The one that always asks finds the same session.
    let path = "/compat/concurrency-service/dev/startSession/userId/u/sessionId/s";
    let answer = service.call_as("other", "GET", path).await;
    assert_eq!(answer.json()["concurrentSessions"], 1);
    assert_eq!(live(&service, "other").await, 1);
}

#[tokio::test]
async fn one_that_is_not_known_is_no_key() {
    let service = Service::keyed();
    assert_eq!(start_with(&service, "nope").await.status, 200);
    assert_eq!(live(&service, "admin").await, 1);
}

/// Nobody reaches the users of another tenant than the default one without a key of the scope.
#[tokio::test]
async fn its_scope_counts() {
    let service = Service::keyed();
    let path = "/compat/stream-requests/getallusers";
    assert_eq!(service.call_as("player", "GET", path).await.status, 403);
    assert_eq!(service.call_as("admin", "GET", path).await.status, 200);
    assert_eq!(service.get(path).await.status, 200, "nobody is asked");
}
