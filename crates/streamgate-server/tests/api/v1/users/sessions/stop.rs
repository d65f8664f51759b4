//! `DELETE /v1/users/{user_id}/sessions/{session_id}` and `POST …/stop`

use crate::support::Service;

const SESSION: &str = "/v1/users/u/sessions/s";
const BEACON: &str = "/v1/users/u/sessions/s/stop";

#[tokio::test]
async fn a_stop_frees_the_slot_and_may_be_repeated() {
    for (method, path) in [("DELETE", SESSION), ("POST", BEACON)] {
        let service = Service::open();
        service.start(&["s"]).await;
        service.call(method, path).await.assert_empty(204);
        let list = service.get("/v1/users/u/sessions").await.json();
        assert_eq!(list["active"], 0);
        service.call(method, path).await.assert_empty(204);
    }
}

#[tokio::test]
async fn an_expired_session_that_is_stopped_stays_stopped() {
    let service = Service::open();
    service.start(&["s"]).await;
    service.advance(90);
    service.call("DELETE", SESSION).await.assert_empty(204);
    service.call("POST", BEACON).await.assert_empty(204);
    let answer = service
        .call("POST", "/v1/users/u/sessions/s/heartbeat")
        .await;
    let problem = answer.assert_problem(410, "session_ended");
    assert_eq!(problem["reason"], "stopped");
}

#[tokio::test]
async fn a_session_that_never_was_is_unknown() {
    let service = Service::open();
    for (method, path) in [("DELETE", SESSION), ("POST", BEACON)] {
        service
            .call(method, path)
            .await
            .assert_problem(404, "session_unknown");
    }
}

#[tokio::test]
async fn a_beacon_may_carry_anything_within_the_bound() {
    let service = Service::open();
    service.start(&["s"]).await;
    let text = "text/plain;charset=UTF-8";
    service
        .raw("POST", BEACON, text, "x".repeat(16 * 1024 + 1))
        .await
        .assert_problem(413, "body_too_large");
    service
        .raw("POST", BEACON, text, &b"\xff\x00"[..])
        .await
        .assert_empty(204);
}
