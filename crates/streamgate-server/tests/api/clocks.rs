//! What a stall and a step of the wall clock do to answers. Each test begins at 06:30:00.

use std::time::Duration;

use serde_json::json;

use crate::support::{BEGIN, ONE_LEASE_LATER, Service};

const HOUR_MS: i64 = 3_600_000;
const SESSIONS: &str = "/v1/users/u/sessions";
const HEARTBEAT: &str = "/v1/users/u/sessions/a/heartbeat";

/// With the limit 1, so that `next_slot_at` is told.
async fn with_limit_one() -> Service {
    let service = Service::open();
    service
        .json("PUT", "/v1/users/u", &json!({"limit": 1}))
        .await;
    service.start(&["a"]).await;
    service
}

#[tokio::test]
async fn every_time_in_an_answer_follows_a_step_of_the_wall_clock_at_once() {
    let service = with_limit_one().await;
    let an_hour_later = "2026-11-21T07:31:30.000Z";
    service.clock.set_wall_offset_ms(HOUR_MS);
    let list = service.get(SESSIONS).await.json();
    assert_eq!(list["next_slot_at"], an_hour_later);
    let session = &list["sessions"][0];
    assert_eq!(session["started_at"], "2026-11-21T07:30:00.000Z");
    assert_eq!(session["last_seen_at"], "2026-11-21T07:30:00.000Z");
    assert_eq!(session["expires_at"], an_hour_later);
    let refusal = service.call("PUT", "/v1/users/u/sessions/b").await;
    assert_eq!(refusal.json()["next_slot_at"], an_hour_later);
    assert_eq!(refusal.json()["sessions"][0]["expires_at"], an_hour_later);
    let heartbeat = service.call("POST", HEARTBEAT).await.json();
    assert_eq!(heartbeat["expires_at"], an_hour_later);
    let batch = json!({"heartbeats": [{"user_id": "u", "session_id": "a"}]});
    let batch = service.json("POST", "/v1/heartbeats", &batch).await.json();
    assert_eq!(batch["expires_at"], an_hour_later);
    let all = service.get("/v1/sessions").await.json();
    assert_eq!(all["sessions"][0]["expires_at"], an_hour_later);
    let start = service.call("PUT", "/v1/users/u/sessions/a").await.json();
    assert_eq!(start["session"]["expires_at"], an_hour_later);
    service.call("DELETE", "/v1/users/u/sessions/a").await;
    service.clock.set_wall_offset_ms(-2 * HOUR_MS);
    let ended = service.call("POST", HEARTBEAT).await;
    let ended = ended.assert_problem(410, "session_ended");
    assert_eq!(ended["ended_at"], "2026-11-21T04:30:00.000Z");
}

#[tokio::test]
async fn times_on_a_wall_clock_before_1970_are_1970() {
    let service = with_limit_one().await;
    service.clock.set_wall_offset_ms(i64::MIN);
    let list = service.get(SESSIONS).await.json();
    assert_eq!(list["next_slot_at"], "1970-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn behind_a_stall_the_watching_session_keeps_its_slot_for_a_lease() {
    let service = with_limit_one().await;
    service.clock.stall(Duration::from_secs(600));
    // One lease from 06:40:00.
    let graced = "2026-11-21T06:41:30.000Z";
    let list = service.get(SESSIONS).await.json();
    assert_eq!(list["sessions"][0]["expires_at"], graced);
    let refusal = service.call("PUT", "/v1/users/u/sessions/b").await;
    let refusal = refusal.assert_problem(409, "limit_reached");
    assert_eq!(refusal["next_slot_at"], graced);
    assert_eq!(refusal["sessions"][0]["last_seen_at"], BEGIN);
    assert_eq!(service.call("POST", HEARTBEAT).await.status, 200);
}

#[tokio::test]
async fn a_session_without_a_heartbeat_behind_a_stall_is_free_one_lease_later() {
    let service = with_limit_one().await;
    assert_eq!(
        service.get(SESSIONS).await.json()["next_slot_at"],
        ONE_LEASE_LATER
    );
    service.clock.stall(Duration::from_secs(600));
    service.advance(89);
    assert_eq!(
        service.call("PUT", "/v1/users/u/sessions/b").await.status,
        409
    );
    service.advance(1);
    assert_eq!(
        service.call("PUT", "/v1/users/u/sessions/b").await.status,
        201
    );
}
