//! `POST /v1/users/{user_id}/sessions` and `PUT /v1/users/{user_id}/sessions/{session_id}`

use serde_json::{Value, json};

use crate::support::{BEGIN, MADE_ID, ONE_LEASE_LATER, Service, fresh};

const SESSIONS: &str = "/v1/users/u/sessions";

fn all_metadata() -> Value {
    json!({
        "device_id": "d", "device_name": "Küche 📺", "device_class": "tv",
        "content_id": "c", "content_type": "film", "region": "eu-west",
        "attributes": {"b": "", "a": "1"},
    })
}

#[tokio::test]
async fn a_start_without_a_body_is_admitted_under_an_id_of_the_servers() {
    let service = Service::open();
    let answer = service.call("POST", SESSIONS).await;
    answer.assert_json(
        201,
        &json!({
            "session": fresh(MADE_ID), "limit": 3, "active": 1,
            "heartbeat_interval_s": 30, "evicted": [],
        }),
    );
    let location = answer.header("location").unwrap();
    assert_eq!(location, format!("{SESSIONS}/{MADE_ID}"));
    assert_eq!(service.call("DELETE", location).await.status, 204);
}

#[tokio::test]
async fn facts_come_back_as_they_were_given() {
    let service = Service::open();
    let answer = service.json("POST", SESSIONS, &all_metadata()).await;
    let mut expected = fresh(MADE_ID);
    for (name, value) in all_metadata().as_object().unwrap() {
        expected[name] = value.clone();
    }
    assert_eq!(answer.json()["session"], expected);
}

#[tokio::test]
async fn null_and_an_empty_map_are_metadata_not_given() {
    let service = Service::open();
    let body = json!({
        "session_id": null, "device_id": null, "attributes": {},
        "replaces": null, "terminate": null,
    });
    let answer = service.json("POST", SESSIONS, &body).await;
    assert_eq!(answer.json()["session"], fresh(MADE_ID));
    let answer = service
        .json(
            "POST",
            SESSIONS,
            &json!({"session_id": "x", "attributes": null}),
        )
        .await;
    assert_eq!(answer.json()["session"], fresh("x"));
}

#[tokio::test]
async fn an_id_in_the_body_makes_a_post_safe_to_repeat() {
    let service = Service::open();
    let body = json!({"session_id": "s"});
    let first = service.json("POST", SESSIONS, &body).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.header("location"), Some("/v1/users/u/sessions/s"));
    service.advance(30);
    let second = service.json("POST", SESSIONS, &body).await;
    assert_eq!(second.status, 200);
    assert_eq!(second.header("location"), None);
    let session = &second.json()["session"];
    assert_eq!(session["started_at"], BEGIN);
    assert_eq!(session["last_seen_at"], "2026-11-21T06:30:30.000Z");
    assert_eq!(session["expires_at"], "2026-11-21T06:32:00.000Z");
    assert_eq!(second.json()["active"], 1);
}

#[tokio::test]
async fn a_put_is_201_first_and_200_then_and_changes_nothing_but_the_lease() {
    let service = Service::open();
    let path = "/v1/users/u/sessions/s";
    let first = service.json("PUT", path, &json!({"device_id": "d"})).await;
    assert_eq!(first.status, 201);
    service.advance(1);
    let other_facts = json!({"device_id": "d", "content_id": "other"});
    let second = service.json("PUT", path, &other_facts).await;
    assert_eq!(second.status, 200);
    assert_eq!(second.json()["session"]["device_id"], "d");
    assert_eq!(second.json()["session"].get("content_id"), None);
    assert_eq!(
        second.json()["session"]["expires_at"],
        "2026-11-21T06:31:31.000Z"
    );
}

#[tokio::test]
async fn the_same_id_under_two_users_is_two_sessions() {
    let service = Service::open();
    for user in ["a", "b"] {
        let answer = service
            .call("PUT", &format!("/v1/users/{user}/sessions/s"))
            .await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.json()["active"], 1);
    }
}

#[tokio::test]
async fn a_refusal_says_which_limit_who_holds_the_slots_and_until_when() {
    let service = Service::open();
    service.start(&["a"]).await;
    service.advance(1);
    service.start(&["b", "c"]).await;
    let answer = service.call("PUT", "/v1/users/u/sessions/d").await;
    let problem = answer.assert_problem(409, "limit_reached");
    assert_eq!(problem["rule"], "limit");
    assert_eq!(problem["limit"], 3);
    assert_eq!(problem["active"], 3);
    assert_eq!(problem["next_slot_at"], ONE_LEASE_LATER);
    assert_eq!(
        problem["detail"],
        "the user may have 3 sessions at a time, and has 3"
    );
    assert_eq!(problem["sessions"][0], fresh("a"));
    let ids: Vec<&Value> = (0..3)
        .map(|i| &problem["sessions"][i]["session_id"])
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let members: Vec<&String> = problem.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "active",
            "code",
            "detail",
            "limit",
            "next_slot_at",
            "rule",
            "sessions",
            "sessions_total",
            "status",
            "title",
            "type"
        ]
    );
    assert_eq!(answer.header("location"), None);
}

#[tokio::test]
async fn a_refusal_is_true_in_words_too_also_where_the_limit_was_lowered() {
    let service = Service::open();
    service.start(&["a", "b"]).await;
    service.set_user("u", &json!({"limit": 1})).await;
    let refused = service.call("PUT", &format!("{SESSIONS}/c")).await;
    assert_eq!(
        refused.assert_problem(409, "limit_reached")["detail"],
        "the user may have 1 session at a time, and has 2"
    );
}

#[tokio::test]
async fn a_limit_of_0_refuses_without_a_time() {
    let service = Service::open();
    service
        .json("PUT", "/v1/users/u", &json!({"limit": 0}))
        .await;
    let problem = service
        .call("POST", SESSIONS)
        .await
        .assert_problem(409, "limit_reached");
    assert_eq!(problem["limit"], 0);
    assert_eq!(problem["sessions"], json!([]));
    assert!(problem.get("next_slot_at").is_none());
}

#[tokio::test]
async fn a_slot_is_free_the_millisecond_its_lease_is_over() {
    let service = Service::open();
    service.start(&["a", "b", "c"]).await;
    service.advance(89);
    assert_eq!(service.call("POST", SESSIONS).await.status, 409);
    service.advance(1);
    assert_eq!(service.call("POST", SESSIONS).await.status, 201);
}

#[tokio::test]
async fn replaces_passes_a_slot_on_and_is_ignored_where_nothing_is_live() {
    let service = Service::open();
    service.start(&["a", "b", "c"]).await;
    let answer = service
        .json("PUT", "/v1/users/u/sessions/d", &json!({"replaces": "a"}))
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["active"], 3);
    assert_eq!(answer.json()["evicted"], json!([]));
    let answer = service
        .json(
            "PUT",
            "/v1/users/u/sessions/e",
            &json!({"replaces": "gone"}),
        )
        .await;
    answer.assert_problem(409, "limit_reached");
}

#[tokio::test]
async fn terminate_ends_sessions_only_if_the_start_is_then_admitted() {
    let service = Service::open();
    service.start(&["a", "b", "c"]).await;
    service
        .json("PUT", "/v1/users/u", &json!({"limit": 1}))
        .await;
    let path = "/v1/users/u/sessions/d";
    service
        .json("PUT", path, &json!({"terminate": ["a", "b"]}))
        .await
        .assert_problem(409, "limit_reached");
    assert_eq!(service.get(SESSIONS).await.json()["active"], 3);
    let answer = service
        .json("PUT", path, &json!({"terminate": ["a", "b", "c", "never"]}))
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["active"], 1);
}

#[tokio::test]
async fn eviction_says_which_sessions_had_to_go() {
    let service = Service::open();
    service.set_user("u", &json!({"plan": "rolling"})).await;
    service.start(&["a", "b"]).await;
    let answer = service.call("PUT", "/v1/users/u/sessions/c").await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["evicted"], json!([fresh("a")]));
    assert_eq!(answer.json()["limit"], 2);
}

#[tokio::test]
async fn a_start_cannot_end_itself() {
    let service = Service::open();
    let body = json!({"session_id": "s", "replaces": "s", "terminate": ["a", "s"]});
    service
        .json("POST", SESSIONS, &body)
        .await
        .assert_invalid(&["replaces", "terminate[1]"]);
    service
        .json("PUT", "/v1/users/u/sessions/s", &json!({"replaces": "s"}))
        .await
        .assert_invalid(&["replaces"]);
    // The id that the server makes is no exception.
    service
        .json("POST", SESSIONS, &json!({"replaces": MADE_ID}))
        .await
        .assert_invalid(&["replaces"]);
    assert_eq!(service.get(SESSIONS).await.json()["active"], 0);
}

#[tokio::test]
async fn every_field_out_of_its_bounds_is_named() {
    let service = Service::open();
    let long = "x".repeat(257);
    let body = json!({
        "session_id": "y".repeat(129), "device_id": "", "device_name": long,
        "device_class": "a\nb", "content_id": "\u{7f}", "content_type": "ü".repeat(129),
        "region": "a\tb", "attributes": {"k": "v".repeat(257)},
        "replaces": "", "terminate": ["ok", ""],
    });
    let problem = service
        .json("POST", SESSIONS, &body)
        .await
        .assert_invalid(&[
            "session_id",
            "device_id",
            "device_name",
            "device_class",
            "content_id",
            "content_type",
            "region",
            "attributes.k",
            "replaces",
            "terminate[1]",
        ]);
    assert_eq!(problem["errors"][1]["message"], "must not be empty");
    assert_eq!(
        problem["detail"],
        "session_id must be at most 128 bytes long, is 129; and 9 more"
    );
    for attributes in [
        json!({"": "v"}),
        json!({"k".repeat(65): "v"}),
        (0..17).map(|i| (i.to_string(), json!("v"))).collect(),
    ] {
        service
            .json("POST", SESSIONS, &json!({"attributes": attributes}))
            .await
            .assert_invalid(&["attributes"]);
    }
    let many: Vec<String> = (0..1_001).map(|i| i.to_string()).collect();
    service
        .json("POST", SESSIONS, &json!({"terminate": many}))
        .await
        .assert_invalid(&["terminate"]);
}

#[tokio::test]
async fn everything_at_its_bound_is_taken() {
    let service = Service::open();
    let attributes: Value = (0..16)
        .map(|i| (format!("{i:064}"), json!("v".repeat(256))))
        .collect();
    let body = json!({
        "session_id": "y".repeat(128), "device_id": "x".repeat(256), "attributes": attributes,
        "terminate": (0..1_000).map(|i| i.to_string()).collect::<Vec<_>>(),
    });
    let path = format!("/v1/users/{}/sessions", "u".repeat(256));
    let answer = service.json("POST", &path, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test]
async fn a_put_has_its_id_in_the_path_only() {
    let service = Service::open();
    for id in [json!("s"), json!(null)] {
        service
            .json("PUT", "/v1/users/u/sessions/s", &json!({"session_id": id}))
            .await
            .assert_invalid(&["session_id"]);
    }
}

#[tokio::test]
async fn an_id_that_is_live_on_another_device_is_taken() {
    let service = Service::open();
    let path = "/v1/users/u/sessions/s";
    let on = |device: &str| json!({"device_id": device, "content_id": "film"});
    assert_eq!(service.json("PUT", path, &on("tv")).await.status, 201);
    let before = service.get(SESSIONS).await.json();
    service.advance(1);
    service
        .json("PUT", path, &on("phone"))
        .await
        .assert_problem(409, "session_taken");
    let mut body = on("phone");
    body["session_id"] = json!("s");
    service
        .json("POST", SESSIONS, &body)
        .await
        .assert_problem(409, "session_taken");
    assert_eq!(
        service.get(SESSIONS).await.json(),
        before,
        "nothing changed"
    );
    // The same device may repeat its start, and so may a caller that names none.
    assert_eq!(service.json("PUT", path, &on("tv")).await.status, 200);
    assert_eq!(service.call("PUT", path).await.status, 200);
    let taken = service
        .metric("streamgate_starts_total{result=\"taken\"}")
        .await;
    assert_eq!(taken, "2");
}

#[tokio::test]
async fn a_refusal_lists_a_hundred_sessions_and_counts_all() {
    let service = Service::open();
    service.set_user("u", &json!({"limit": 101})).await;
    let ids: Vec<String> = (0..101).map(|number| format!("s{number:03}")).collect();
    for id in &ids {
        service.start(&[id]).await;
    }
    let answer = service.call("PUT", "/v1/users/u/sessions/x").await;
    let refusal = answer.assert_problem(409, "limit_reached");
    assert_eq!(
        (&refusal["active"], &refusal["sessions_total"]),
        (&json!(101), &json!(101))
    );
    let listed = refusal["sessions"].as_array().unwrap();
    assert_eq!(listed.len(), 100);
    assert_eq!(listed[0]["session_id"], "s000");
    assert_eq!(listed[99]["session_id"], "s099");
}
