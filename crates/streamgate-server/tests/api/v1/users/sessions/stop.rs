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
async fn a_beacon_may_carry_anything_of_any_length() {
    let text = "text/plain;charset=UTF-8";
    let bodies = [
        (b"\xff\x00".to_vec(), None),
        (vec![b'x'; 20_000], None),
        (vec![b'x'; 64 * 1024], None),
        // More than a beacon may have is not read to its end, so the connection cannot go on.
        (vec![b'x'; 64 * 1024 + 1], Some("close")),
    ];
    for (body, connection) in bodies {
        let service = Service::open();
        service.start(&["s"]).await;
        let answer = service.raw("POST", BEACON, text, body).await;
        answer.assert_empty(204);
        assert_eq!(answer.header("connection"), connection);
        assert_eq!(service.metric("streamgate_live_sessions").await, "0");
    }
}
