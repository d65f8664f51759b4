//! Viewers and the APIs of earlier systems.

use axum::body::Body;
use serde_json::json;
use streamgate_server::{CompatSettings, DialectName, ServerSettings};

use crate::support::viewers::{
    Down, bearing, login_by_secret, login_token, own_token, settings, signing_key, token_at,
    verifier,
};
use crate::support::{Service, keys, request};

/// Every dialect, its call that starts a session of a user, and what it answers.
const DIALECT_STARTS: [(DialectName, &str, &str, &str); 4] = [
    (
        DialectName::SessionTracker,
        "POST",
        "/add-session?user_id=USER",
        "",
    ),
    (
        DialectName::ConcurrencyService,
        "GET",
        "/dev/startSession/userId/USER/sessionId/s",
        "",
    ),
    (
        DialectName::StreamLog,
        "POST",
        "/dev/stream",
        r#"{"userId":"USER"}"#,
    ),
    (DialectName::UserStreams, "GET", "/user-streams/USER/s", ""),
];

#[tokio::test]
async fn a_viewer_calls_dialects_about_its_own_user() {
    let signing = signing_key();
    for (dialect, method, path, body) in DIALECT_STARTS {
        let service = Service::with(ServerSettings {
            keys: keys(),
            compat: CompatSettings {
                dialects: vec![dialect],
                ..CompatSettings::default()
            },
            tokens: Some(verifier(settings(&signing, vec![login_by_secret()]), Down)),
            ..ServerSettings::default()
        });
        let start = async |token: &str, user: &str| {
            let path = format!("/compat/{}{path}", dialect.as_str()).replace("USER", user);
            let body = Body::from(body.replace("USER", user));
            let mut made = bearing(token, request(method, &path, body));
            let json = "application/json".parse().unwrap();
            made.headers_mut().insert("content-type", json);
            service.send(made).await
        };
        let name = dialect.as_str();
        for token in [
            own_token(&signing, "7"),
            login_token("7", &json!({"limit": 2})),
        ] {
            let own = start(&token, "7").await;
            assert!(own.status.is_success(), "{name}: {own:?}");
            let other = start(&token, "8").await;
            assert_eq!(other.status, 403, "{name}: {other:?}");
            assert_ne!(
                other.header("content-type"),
                Some("application/problem+json")
            );
        }
        let user = service
            .call_as("service", "GET", "/v1/users/7")
            .await
            .json();
        assert_eq!(user["limit"], 2, "{name}");
        let bad = start(&login_token("7", &json!({"plan": "gone"})), "7").await;
        assert_eq!(bad.status, 403, "{name}: {bad:?}");
        let other = start(&own_token(&signing, "7"), "8").await;
        if dialect == DialectName::ConcurrencyService {
            // Its gateway named the kind of each refusal.
            for refused in [&bad, &other] {
                let kind = refused.header("x-amzn-errortype");
                assert_eq!(kind, Some("ForbiddenException"), "{refused:?}");
            }
        }
        let expired = start(&token_at(&signing, "7", 10_000), "7").await;
        let is_refused = [401, 403].contains(&expired.status.as_u16());
        assert!(is_refused, "{name}: {expired:?}");
    }
}

#[tokio::test]
async fn a_dialect_that_asks_for_no_key_honours_a_token() {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        keys: keys(),
        compat: CompatSettings {
            dialects: vec![DialectName::UserStreams],
            require_key: false,
            ..CompatSettings::default()
        },
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        ..ServerSettings::default()
    });
    let (own, other) = (
        "/compat/user-streams/user-streams/u/s",
        "/compat/user-streams/user-streams/v/s",
    );
    let token = own_token(&signing, "u");
    assert_eq!(service.get(other).await.status, 200);
    assert_eq!(service.call_with(&token, "GET", own).await.status, 200);
    assert_eq!(service.call_with(&token, "GET", other).await.status, 403);
    assert_eq!(service.call_with("a.b.c", "GET", own).await.status, 401);
}
