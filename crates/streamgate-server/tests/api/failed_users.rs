//! `streamgate_failed_users`: how many distinct users met a 5xx within five minutes, whatever call
//! it was.

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::json;
use streamgate_server::{HttpSettings, ServerSettings};

use crate::support::{Service, request};

/// The calls about one user: method, path and body. `USER` stands for the user.
const V1: [(&str, &str, &str); 9] = [
    ("PUT", "/v1/users/USER/sessions/s", ""),
    ("POST", "/v1/users/USER/sessions", ""),
    ("POST", "/v1/users/USER/sessions/s/heartbeat", ""),
    ("DELETE", "/v1/users/USER/sessions/s", ""),
    ("POST", "/v1/users/USER/sessions/s/stop", ""),
    ("GET", "/v1/users/USER/sessions", ""),
    ("GET", "/v1/users/USER", ""),
    ("PUT", "/v1/users/USER", r#"{"limit":2}"#),
    ("DELETE", "/v1/users/USER", ""),
];

const DIALECTS: [(&str, &str, &str); 10] = [
    (
        "POST",
        "/compat/session-tracker/add-session?user_id=USER",
        "",
    ),
    (
        "POST",
        "/compat/session-tracker/remove-session?user_id=USER",
        "",
    ),
    (
        "GET",
        "/compat/concurrency-service/dev/startSession/userId/USER/sessionId/s",
        "",
    ),
    (
        "POST",
        "/compat/stream-log/dev/stream",
        r#"{"userId":"USER"}"#,
    ),
    (
        "DELETE",
        "/compat/stream-log/dev/stream",
        r#"{"userId":"USER","streamId":"5b0a9d3e-7f61-4c2b-8e4d-1a2b3c4d5e6f"}"#,
    ),
    ("GET", "/compat/user-streams/user-streams/USER/s", ""),
    ("DELETE", "/compat/user-streams/user-streams/USER", ""),
    (
        "POST",
        "/compat/stream-requests/createuser",
        r#"{"Name":"n","id":"USER"}"#,
    ),
    ("GET", "/compat/stream-requests/getuser?id=USER", ""),
    (
        "POST",
        "/compat/stream-requests/requeststream",
        r#"{"id":"USER","stream":"s"}"#,
    ),
];

async fn call(service: &Service, user: &str, (method, path, body): (&str, &str, &str)) -> u16 {
    let body = body.replace("USER", user);
    let mut request = request(method, &path.replace("USER", user), Body::from(body));
    let json = "application/json".parse().unwrap();
    request.headers_mut().insert("content-type", json);
    service.send(request).await.status.as_u16()
}

async fn failed_users(service: &Service) -> String {
    service.metric("streamgate_failed_users").await
}

#[tokio::test]
async fn each_call_about_a_user_that_fails_counts_its_user_once() {
    let service = Service::open();
    service.break_store().await;
    for (place, sent) in V1.into_iter().chain(DIALECTS).enumerate() {
        let user = format!("user-{place}");
        for _ in 0..2 {
            let status = call(&service, &user, sent).await;
            assert!(status >= 500, "{sent:?}: {status}");
            assert_eq!(
                failed_users(&service).await,
                (place + 1).to_string(),
                "{sent:?}"
            );
        }
    }
    service.advance(299);
    assert_eq!(failed_users(&service).await, "19");
    service.advance(1);
    assert_eq!(failed_users(&service).await, "0");
}

#[tokio::test]
async fn the_router_counts_as_the_fast_path_does() {
    let service = Service::open();
    service.break_store().await;
    for (place, (method, path, _)) in V1.into_iter().enumerate() {
        let path = path.replace("USER", &format!("user-{place}"));
        let answer = service.send_to_router(request(method, &path, Body::empty()));
        assert_eq!(answer.await.status, 503, "{method} {path}");
    }
    assert_eq!(failed_users(&service).await, V1.len().to_string());
}

#[tokio::test]
async fn calls_that_succeed_and_mistakes_of_callers_do_not_count() {
    let service = Service::keyed();
    for (status, key, method, path) in [
        (201, "player", "PUT", "/v1/users/u/sessions/a"),
        (201, "player", "PUT", "/v1/users/u/sessions/b"),
        (201, "player", "PUT", "/v1/users/u/sessions/c"),
        (409, "player", "PUT", "/v1/users/u/sessions/d"),
        (
            404,
            "player",
            "POST",
            "/v1/users/u/sessions/never/heartbeat",
        ),
        (401, "wrong", "PUT", "/v1/users/u/sessions/e"),
        (403, "player", "DELETE", "/v1/users/u"),
        (400, "admin", "GET", "/v1/users?cursor=wrong"),
    ] {
        let answer = service.call_as(key, method, path).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
    assert_eq!(failed_users(&service).await, "0");
}

#[tokio::test]
async fn each_failed_entry_of_a_batch_counts_its_user() {
    let service = Service::open();
    service.damage("broken").await;
    service.damage("torn").await;
    service.start(&["s"]).await;
    let beat = |user: &str| json!({"user_id": user, "session_id": "s"});
    let batch = [
        beat("u"),
        beat("broken"),
        beat("torn"),
        beat("broken"),
        beat("new"),
    ];
    let answer = service
        .json("POST", "/v1/heartbeats", &json!({"heartbeats": batch}))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["renewed"]),
        (200, &json!(1))
    );
    assert_eq!(failed_users(&service).await, "2");
}

#[tokio::test]
async fn a_server_that_fails_open_counts_only_what_it_does_not_answer() {
    let service = Service::fails_open();
    service.break_store().await;
    assert_eq!(call(&service, "a", V1[0]).await, 201);
    assert_eq!(call(&service, "a", V1[2]).await, 200);
    assert_eq!(failed_users(&service).await, "0");
    assert_eq!(
        call(&service, "b", ("GET", "/v1/users/USER", "")).await,
        503
    );
    assert_eq!(failed_users(&service).await, "1");
}

#[tokio::test]
async fn a_body_for_which_there_is_no_memory_counts_the_user_of_the_path() {
    let http = HttpSettings {
        bodies_max_bytes: 0,
        ..HttpSettings::default()
    };
    let service = Service::with(ServerSettings {
        http,
        ..ServerSettings::default()
    });
    let calls = [
        ("PUT", "/v1/users/a/sessions/s"),
        ("POST", "/v1/users/b/sessions"),
        ("PUT", "/v1/users/c"),
    ];
    for (method, path) in calls {
        let frames =
            ["{", "}"].map(|text| Ok::<_, axum::Error>(Bytes::from_static(text.as_bytes())));
        let mut request = request(method, path, Body::from_stream(stream::iter(frames)));
        let json = "application/json".parse().unwrap();
        request.headers_mut().insert("content-type", json);
        let answer = service.send(request).await;
        answer.assert_problem(503, "overloaded");
    }
    assert_eq!(failed_users(&service).await, "3");
}
