//! What players are told while the store cannot be used, where the server is set to let them in.

use serde_json::json;

use crate::support::Service;

const SESSION: &str = "/v1/users/u/sessions/s";

async fn without_store() -> Service {
    let service = Service::fails_open();
    service.break_store().await;
    service
}

#[tokio::test]
async fn a_start_is_admitted_and_says_that_nothing_is_known_of_the_user() {
    let service = without_store().await;
    let body = json!({"device_id": "tv"});
    let answer = service.json("PUT", SESSION, &body).await;
    answer.assert_json(
        201,
        &json!({
            "session": {
                "session_id": "s", "user_id": "u", "device_id": "tv",
                "started_at": "2026-11-21T06:30:00.000Z",
                "last_seen_at": "2026-11-21T06:30:00.000Z",
                "expires_at": "2026-11-21T06:31:30.000Z",
            },
            "heartbeat_interval_s": 30, "evicted": [], "degraded": true, "fail_mode": "open",
        }),
    );
    let again = service.call("PUT", SESSION).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["degraded"]),
        (200, &json!(true))
    );
    let made = service.call("POST", "/v1/users/u/sessions").await;
    assert_eq!(made.status, 201);
    assert!(made.header("location").is_some());
}

#[tokio::test]
async fn a_start_announces_the_fail_mode_before_it_is_needed() {
    let start = Service::fails_open().call("PUT", SESSION).await.json();
    assert_eq!(
        (&start["fail_mode"], start.get("degraded")),
        (&json!("open"), None)
    );
    // Closed is what players take for granted.
    let start = Service::open().call("PUT", SESSION).await.json();
    assert_eq!(start.get("fail_mode"), None);
}

#[tokio::test]
async fn a_heartbeat_may_go_on() {
    let service = Service::fails_open();
    service.start(&["s"]).await;
    service.break_store().await;
    service.advance(30);
    let answer = service.call("POST", &format!("{SESSION}/heartbeat")).await;
    answer.assert_json(
        200,
        &json!({
            "session_id": "s", "expires_at": "2026-11-21T06:32:00.000Z",
            "heartbeat_interval_s": 30, "degraded": true,
        }),
    );
}

#[tokio::test]
async fn a_batch_says_how_many_may_go_on() {
    let service = without_store().await;
    let beat = |session: &str| json!({"user_id": "u", "session_id": session});
    let batch = json!({"heartbeats": [beat("a"), beat("b"), beat("")]});
    let answer = service.json("POST", "/v1/heartbeats", &batch).await.json();
    assert_eq!(
        (&answer["renewed"], &answer["degraded"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(answer["failed"][0]["code"], "invalid_request");
}

#[tokio::test]
async fn whatever_is_not_about_one_players_slot_is_503() {
    let service = without_store().await;
    service.call("PUT", SESSION).await;
    for (method, path) in [
        ("DELETE", SESSION),
        ("GET", "/v1/users/u/sessions"),
        ("GET", "/v1/users/u"),
        ("DELETE", "/v1/users/u"),
        ("GET", "/v1/sessions"),
    ] {
        service.call(method, path).await.assert_store_unavailable();
    }
}

#[tokio::test]
async fn bad_input_and_damaged_records_are_not_let_pass() {
    let service = Service::fails_open();
    service.damage("u").await;
    let answer = service.call("PUT", SESSION).await;
    answer.assert_problem(500, "internal");
    service.break_store().await;
    let answer = service
        .json("PUT", SESSION, &json!({"device_id": ""}))
        .await;
    answer.assert_invalid(&["device_id"]);
}

#[tokio::test]
async fn it_stays_ready_so_that_no_balancer_takes_it_away_and_says_how_it_is() {
    let service = Service::fails_open();
    let ready = async || service.get("/readyz").await;
    ready().await.assert_json(200, &json!({"status": "ok"}));
    service.break_store().await;
    ready()
        .await
        .assert_json(200, &json!({"status": "degraded"}));
}

#[tokio::test]
async fn it_is_counted() {
    let service = without_store().await;
    service.call("PUT", SESSION).await;
    service.call("POST", &format!("{SESSION}/heartbeat")).await;
    for (name, count) in [
        (r#"streamgate_starts_total{result="degraded"}"#, "1"),
        (r#"streamgate_starts_total{result="admitted"}"#, "0"),
        (r#"streamgate_heartbeats_total{result="degraded"}"#, "1"),
        ("streamgate_degraded_sessions", "1"),
    ] {
        assert_eq!(service.metric(name).await, count, "{name}");
    }
}

#[tokio::test]
async fn players_of_earlier_systems_are_let_in_too() {
    let service = without_store().await;
    for _ in 0..4 {
        let path = "/compat/session-tracker/add-session?user_id=7";
        let answer = service.call("POST", path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = &answer.json()["message"];
        assert_eq!(told, "Number of active session incremented to 1");
    }
    let path = "/compat/user-streams/user-streams/u/s";
    let answer = service.get(path).await.json();
    assert_eq!(
        (&answer["allow"], &answer["sessionIds"]),
        (&json!(true), &json!(["s"]))
    );
    let started = r#"streamgate_starts_total{result="degraded"}"#;
    assert_eq!(service.metric(started).await, "5");
}
