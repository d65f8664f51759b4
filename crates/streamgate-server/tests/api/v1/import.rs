//! `POST /v1/import`

use serde_json::{Value, json};

use crate::support::{Answer, Service};

const PATH: &str = "/v1/import";

/// The lease of callers without heartbeats after [`crate::support::BEGIN`].
const TWELVE_HOURS_LATER: &str = "2026-11-21T18:30:00.000Z";

fn user(id: &str, sessions: &[&str]) -> Value {
    json!({"user_id": id, "sessions": sessions})
}

async fn post(service: &Service, users: &[Value]) -> Answer {
    service.json("POST", PATH, &json!({ "users": users })).await
}

async fn import(service: &Service, users: &[Value]) -> Value {
    let answer = post(service, users).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn live(service: &Service, user: &str) -> Vec<Value> {
    let listed = service.get(&format!("/v1/users/{user}/sessions")).await;
    listed.json()["sessions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn sessions_hold_slots_for_the_lease_of_callers_without_heartbeats() {
    let service = Service::open();
    let users = [
        user("u", &["a", "b"]),
        user("v", &["a"]),
        json!({"user_id": "w"}),
    ];
    post(&service, &users).await.assert_json(
        200,
        &json!({"users": 3, "started": 3, "already_live": 0, "skipped": []}),
    );
    let sessions = live(&service, "u").await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["session_id"], "a");
    assert_eq!(sessions[1]["expires_at"], TWELVE_HOURS_LATER);
    // They are sessions like any others: one more start, and the slots are taken.
    for (session, status) in [("c", 201), ("d", 409)] {
        let path = format!("/v1/users/u/sessions/{session}");
        assert_eq!(service.call("PUT", &path).await.status, status);
    }
    // One without sessions and profile leaves no trace.
    assert_eq!(service.get("/v1/users/w").await.status, 404);
}

#[tokio::test]
async fn a_second_time_starts_nothing() {
    let service = Service::open();
    let users = [user("u", &["a", "b"])];
    import(&service, &users).await;
    service.call("DELETE", "/v1/users/u/sessions/a").await;
    service.advance(60);
    let again = import(&service, &users).await;
    assert_eq!(
        again,
        json!({
            "users": 1, "started": 0, "already_live": 1,
            "skipped": [{"index": 0, "user_id": "u", "session_id": "a", "reason": "ended",
                         "detail": "it has ended here: stopped"}],
        })
    );
    assert_eq!(live(&service, "u").await.len(), 1);
}

#[tokio::test]
async fn no_live_session_gives_way_whatever_the_policy_says() {
    let service = Service::open();
    service.set_user("u", &json!({"plan": "rolling"})).await;
    service.start(&["live"]).await;
    let answer = import(&service, &[user("u", &["a", "b"])]).await;
    assert_eq!(answer["started"], 1);
    assert_eq!(
        answer["skipped"],
        json!([{"index": 0, "user_id": "u", "session_id": "b", "reason": "no_slot",
                "detail": "every slot is taken; the limit is 2"}])
    );
    let live: Vec<Value> = live(&service, "u").await;
    let ids: Vec<&Value> = live.iter().map(|session| &session["session_id"]).collect();
    assert_eq!(ids, ["live", "a"]);
}

#[tokio::test]
async fn a_profile_is_set_only_where_there_is_none() {
    let service = Service::open();
    let with = |name: &str| json!({"user_id": "u", "profile": {"Name": name}});
    assert_eq!(import(&service, &[with("Ann")]).await["skipped"], json!([]));
    assert_eq!(import(&service, &[with("Ann")]).await["skipped"], json!([]));
    let answer = import(&service, &[with("Bob"), user("u", &["a"])]).await;
    assert_eq!(
        answer["skipped"],
        json!([{"index": 0, "user_id": "u", "reason": "profile_kept",
                "detail": "the user has another profile here, and keeps it"}])
    );
    assert_eq!(answer["started"], 1);
    let profile = service.get("/v1/users/u").await.json()["profile"].clone();
    assert_eq!(profile, json!({"Name": "Ann"}));
}

#[tokio::test]
async fn what_is_not_valid_is_skipped_and_the_rest_is_not() {
    let service = Service::open();
    let long = "x".repeat(129);
    let mut unprofiled = user("v", &["a"]);
    unprofiled["profile"] = json!({"": "x"});
    let answer = import(
        &service,
        &[
            user("", &["a"]),
            user("u", &["", "a", &long, "a", "b\u{7}"]),
            unprofiled,
        ],
    )
    .await;
    assert_eq!(answer["users"], 2);
    assert_eq!(answer["started"], 2);
    let skipped: Vec<String> = answer["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skipped| {
            assert_eq!(skipped["reason"], "invalid");
            format!(
                "{} {}",
                skipped["index"],
                skipped["detail"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        skipped,
        [
            "0 user_id must not be empty",
            "1 session_id must not be empty",
            "1 session_id must be at most 128 bytes long, is 129",
            "1 session_id is given twice",
            "1 session_id must not contain control characters",
            "2 profile key \"\" must not be empty",
        ]
    );
}

#[tokio::test]
async fn entries_of_one_user_are_taken_over_in_their_order() {
    let service = Service::open();
    let named = |name: &str| json!({"user_id": "u", "profile": {"Name": name}});
    let users = [
        user("u", &["a"]),
        named("Ann"),
        user("v", &["a"]),
        user("u", &["a", "b"]),
        named("Bob"),
        named("Ann"),
        user("u", &["c", "d"]),
    ];
    let skipped = json!([
        {"index": 4, "user_id": "u", "reason": "profile_kept",
         "detail": "the user has another profile here, and keeps it"},
        {"index": 6, "user_id": "u", "session_id": "d", "reason": "no_slot",
         "detail": "every slot is taken; the limit is 3"},
    ]);
    assert_eq!(
        import(&service, &users).await,
        json!({"users": 2, "started": 4, "already_live": 1, "skipped": skipped})
    );
    assert_eq!(live(&service, "u").await.len(), 3);
    let profile = service.get("/v1/users/u").await.json()["profile"].clone();
    assert_eq!(profile, json!({"Name": "Ann"}));
}

#[tokio::test]
async fn the_entries_of_a_user_may_bring_a_thousand_sessions_together() {
    let service = Service::open();
    service.set_user("u", &json!({"limit": 1000})).await;
    let ids: Vec<String> = (0..1_001).map(|id| format!("s{id}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let users = [
        user("u", &ids[..999]),
        user("u", &ids[999..]),
        user("u", &ids[999..1_000]),
    ];
    assert_eq!(
        import(&service, &users).await,
        json!({
            "users": 1, "started": 1_000, "already_live": 0,
            "skipped": [{"index": 1, "user_id": "u", "reason": "invalid",
                         "detail": "sessions must have at most 1000 entries, has 1001"}],
        })
    );
}

#[tokio::test]
async fn a_user_may_bring_a_thousand_sessions_and_not_one_more() {
    let service = Service::open();
    service.set_user("u", &json!({"limit": 1000})).await;
    let ids: Vec<String> = (0..1_001).map(|id| format!("s{id}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let answer = import(&service, &[user("u", &ids)]).await;
    assert_eq!(answer["users"], 0);
    assert_eq!(
        answer["skipped"],
        json!([{"index": 0, "user_id": "u", "reason": "invalid",
                "detail": "sessions must have at most 1000 entries, has 1001"}])
    );
    let answer = import(&service, &[user("u", &ids[1..])]).await;
    assert_eq!(answer["started"], 1_000);
}

#[tokio::test]
async fn a_thousand_users_fit_and_one_more_does_not() {
    let service = Service::open();
    let users: Vec<Value> = (0..1_001)
        .map(|id| user(&format!("{id}"), &["s"]))
        .collect();
    post(&service, &users).await.assert_invalid(&["users"]);
    assert_eq!(import(&service, &users[1..]).await["started"], 1_000);
    assert_eq!(import(&service, &[]).await["users"], 0);
}

#[tokio::test]
async fn a_body_that_is_wrong_as_a_whole_is_refused_as_a_whole() {
    let service = Service::open();
    for (body, field) in [
        ("", "users"),
        ("[]", "body"),
        (r#"{"users": null}"#, "users"),
        (r#"{"users": [["u"]]}"#, "users[0]"),
        (r#"{"users": [{}]}"#, "users[0].user_id"),
        (
            r#"{"users": [{"user_id": "u", "sessions": [1]}]}"#,
            "users[0].sessions[0]",
        ),
        (
            r#"{"users": [{"user_id": "u", "lease": 1}]}"#,
            "users[0].lease",
        ),
        (r#"{"users": [], "more": 1}"#, "more"),
    ] {
        service
            .raw("POST", PATH, "application/json", body)
            .await
            .assert_invalid(&[field]);
    }
    service
        .raw("POST", PATH, "application/json", " ".repeat(256 * 1024 + 1))
        .await
        .assert_problem(413, "body_too_large");
}

#[tokio::test]
async fn it_takes_a_key_of_scope_admin_and_stays_with_its_tenant() {
    let service = Service::keyed();
    service
        .call("POST", PATH)
        .await
        .assert_problem(401, "unauthenticated");
    service
        .call_as("service", "POST", PATH)
        .await
        .assert_problem(403, "forbidden");
    // The body comes after the key: this one is known.
    service
        .call_as("other", "POST", PATH)
        .await
        .assert_invalid(&["users"]);
}

#[tokio::test]
async fn a_store_that_fails_for_every_user_fails_the_call() {
    let service = Service::open();
    service.break_store().await;
    post(&service, &[user("u", &["a"])])
        .await
        .assert_store_unavailable();
    let answer = import(&service, &[user("u", &["a"]), user("", &[])]).await;
    assert_eq!(answer["users"], 0);
    assert_eq!(answer["skipped"][0]["reason"], "store_unavailable");
    assert_eq!(answer["skipped"][1]["reason"], "invalid");
}

#[tokio::test]
async fn an_import_into_a_full_store_takes_over_no_user() {
    let service = Service::open();
    service.fill_store(true);
    post(&service, &[user("u", &["a"])])
        .await
        .assert_problem(503, "store_full");
    let answer = import(&service, &[user("u", &["a"]), user("", &[])]).await;
    assert_eq!(answer["skipped"][0]["reason"], "store_full");
}

#[tokio::test]
async fn a_damaged_record_fails_its_own_user() {
    let service = Service::open();
    service.damage("v").await;
    let answer = import(&service, &[user("v", &["a"]), user("u", &["a"])]).await;
    assert_eq!(
        (&answer["users"], &answer["started"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(answer["skipped"][0]["reason"], "internal");
    assert_eq!(answer["skipped"][0]["user_id"], "v");
}
