//! Which tokens are accepted, beside keys and without any.

use axum::body::Body;
use serde_json::json;
use streamgate_server::ServerSettings;

use super::CALLS;
use crate::support::viewers::{
    Down, bearing, login_by_secret, login_token, own_token, service, settings, signing_key,
    token_at, verifier,
};
use crate::support::{Service, request};

#[tokio::test]
async fn a_token_that_is_not_accepted_is_401_and_only_its_expiry_is_told() {
    let signing = signing_key();
    let service = service(&signing);
    let good = own_token(&signing, "u");
    let (message, _) = good.rsplit_once('.').unwrap();
    let another = own_token(&signing, "v");
    let (_, signature) = another.rsplit_once('.').unwrap();
    let (expired, invalid) = ("the token has expired", "the token is not valid");
    for (token, detail) in [
        (token_at(&signing, "u", 10_000), expired),
        (token_at(&signing, "u", -10_000), invalid),
        (own_token(&signing_key(), "u"), invalid),
        (format!("{message}."), invalid),
        (format!("{message}.{signature}"), invalid),
        (login_token("u", &json!({"aud": "other"})), invalid),
        (login_token("u", &json!({"iss": "other"})), invalid),
        (login_token("u", &json!({"exp": 1})), expired),
        (login_token("", &json!({})), invalid),
        ("a.b.c".to_owned(), invalid),
        ("..".to_owned(), invalid),
        (format!("{message}.{}", "A".repeat(9_000)), invalid),
    ] {
        for path in ["/v1/users/u/sessions", "/v1/users/v/sessions", "/v1/users"] {
            let answer = service.call_with(&token, "GET", path).await;
            let problem = answer.assert_problem(401, "unauthenticated");
            assert_eq!(problem["detail"], detail);
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, Some("Bearer error=\"invalid_token\""));
        }
    }
    let refused = |class: &str| format!("streamgate_tokens_refused_total{{reason=\"{class}\"}}");
    for (class, count) in [
        ("too_long", "3"),
        ("malformed", "6"),
        ("unknown_issuer", "3"),
        ("signature", "9"),
        ("expired", "6"),
        ("not_yet_valid", "3"),
        ("claims", "6"),
        ("keys_unavailable", "0"),
    ] {
        assert_eq!(service.metric(&refused(class)).await, count, "{class}");
    }
}

#[tokio::test]
async fn keys_and_tokens_are_told_apart_by_their_form() {
    let signing = signing_key();
    let service = service(&signing);
    let path = "/v1/users/u/sessions";
    let token = own_token(&signing, "u");
    assert_eq!(service.call_with("player", "GET", path).await.status, 200);
    // The header `x-api-key` decides first, and holds keys only.
    assert_eq!(service.call_as(&token, "GET", path).await.status, 401);
    for (key, status) in [("player", 200), ("wrong", 401)] {
        let mut both = bearing(&token, request("GET", path, Body::empty()));
        both.headers_mut().insert("x-api-key", key.parse().unwrap());
        assert_eq!(service.send(both).await.status, status);
    }
    for key in ["sgk_a.b.c", "a.b", "a.b.c.d"] {
        let answer = service.call_with(key, "GET", path).await;
        let problem = answer.assert_problem(401, "unauthenticated");
        assert_eq!(problem["detail"], "the API key is not known", "{key}");
    }
}

#[tokio::test]
async fn an_open_server_honours_its_own_tokens_and_ignores_others() {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        ..ServerSettings::default()
    });
    let (own, other) = ("/v1/users/u/sessions", "/v1/users/v/sessions");
    assert_eq!(service.get(other).await.status, 200);
    let token = own_token(&signing, "u");
    assert_eq!(service.call_with(&token, "GET", own).await.status, 200);
    assert_eq!(service.call_with(&token, "GET", other).await.status, 403);
    assert_eq!(
        service.call_with(&token, "GET", "/v1/users").await.status,
        403
    );
    for (token, status) in [
        (token_at(&signing, "u", 10_000), 401),
        (own_token(&signing_key(), "u"), 401),
        (login_token("u", &json!({})), 200),
        ("a.b.c".to_owned(), 200),
        ("any".to_owned(), 200),
    ] {
        let answer = service.call_with(&token, "GET", other).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_server_with_issuers_and_without_keys_is_not_open() {
    let signing = signing_key();
    let tokens = settings(&signing, vec![login_by_secret()]);
    let service = Service::with(ServerSettings {
        tokens: Some(verifier(tokens, Down)),
        ..ServerSettings::default()
    });
    for (_, method, path) in CALLS {
        if path == "/metrics" {
            continue;
        }
        service
            .call(method, path)
            .await
            .assert_problem(401, "unauthenticated");
        let answer = service.call_as("any", method, path).await;
        answer.assert_problem(401, "unauthenticated");
    }
    for token in [login_token("u", &json!({})), own_token(&signing, "u")] {
        let answer = service
            .call_with(&token, "GET", "/v1/users/u/sessions")
            .await;
        assert_eq!(answer.status, 200);
    }
}
