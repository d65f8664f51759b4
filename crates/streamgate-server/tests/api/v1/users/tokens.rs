//! `/v1/users/{user_id}/tokens`

use serde_json::{Value, json};
use streamgate_clock::wall_ms;

use crate::support::viewers::{bearing, service, signing_key};
use crate::support::{Service, request};

const PATH: &str = "/v1/users/anna%2F1/tokens";

async fn mint(service: &Service, key: &str, body: &str) -> crate::support::Answer {
    let mut made = request("POST", PATH, body.to_owned().into());
    let headers = made.headers_mut();
    headers.insert("x-api-key", key.parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    service.send(made).await
}

#[tokio::test]
async fn a_token_is_minted_for_one_user_and_opens_its_calls() {
    let service = service(&signing_key());
    let before_s = wall_ms() / 1_000;
    for (body, ttl_s) in [
        ("", 3_600),
        ("{}", 3_600),
        (r#"{"ttl_s":60}"#, 60),
        (r#"{"ttl_s":86400}"#, 86_400),
        (r#"{"ttl_s":600.0}"#, 600),
    ] {
        let answer = mint(&service, "service", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let minted = answer.json();
        let names: Vec<&String> = minted.as_object().unwrap().keys().collect();
        assert_eq!(names, ["expires_at", "token", "token_type", "user_id"]);
        assert_eq!(minted["token_type"], "Bearer");
        assert_eq!(minted["user_id"], "anna/1");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let expires_at = minted["expires_at"].as_str().unwrap();
        let is_then = (0..=60).any(|late_s| {
            let at_ms = (before_s + ttl_s + late_s) * 1_000;
            streamgate_server::rfc3339(at_ms.try_into().unwrap()) == expires_at
        });
        assert!(is_then, "{expires_at}");
        let token = minted["token"].as_str().unwrap();
        let path = "/v1/users/anna%2F1/sessions/s";
        let start = service.call_with(token, "PUT", path).await;
        assert!(start.status.is_success());
        let other = service
            .call_with(token, "PUT", "/v1/users/anna/sessions/s")
            .await;
        other.assert_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn a_life_out_of_bounds_is_refused() {
    let service = service(&signing_key());
    for ttl_s in [json!(59), json!(86_401), json!(-60), json!(60.5), json!(0)] {
        let body = json!({ "ttl_s": ttl_s }).to_string();
        let answer = mint(&service, "service", &body).await;
        answer.assert_invalid(&["ttl_s"]);
    }
    for body in [
        r#"{"ttl_s":"60"}"#,
        r#"{"ttl_s":null}"#,
        r#"{"ttl":60}"#,
        "[]",
    ] {
        let answer = mint(&service, "service", body).await;
        answer.assert_problem(400, "invalid_request");
    }
}

#[tokio::test]
async fn only_services_mint() {
    let service = service(&signing_key());
    for (key, status) in [("player", 403), ("wrong", 401), ("admin", 201)] {
        assert_eq!(mint(&service, key, "").await.status, status, "{key}");
    }
    let token = mint(&service, "service", "").await.json()["token"].clone();
    let again = bearing(
        token.as_str().unwrap(),
        request("POST", PATH, Default::default()),
    );
    service.send(again).await.assert_problem(403, "forbidden");
}

#[tokio::test]
async fn the_token_names_the_tenant_of_the_key() {
    let service = service(&signing_key());
    let token = mint(&service, "other", "").await.json()["token"].clone();
    let path = "/v1/users/anna%2F1/sessions/s";
    let start = service
        .call_with(token.as_str().unwrap(), "PUT", path)
        .await;
    assert_eq!(start.status, 201);
    let active = async |key| {
        let list = service
            .call_as(key, "GET", "/v1/users/anna%2F1/sessions")
            .await;
        list.json()["active"].clone()
    };
    assert_eq!(
        (active("admin").await, active("other").await),
        (json!(0), json!(1))
    );
}

#[tokio::test]
async fn a_server_without_a_signing_key_says_which_setting_is_missing() {
    let service = Service::keyed();
    let answer = mint(&service, "service", "").await;
    let problem = answer.assert_problem(503, "not_configured");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("tokens.signing_key_file"), "{detail}");
    let set = service.get("/.well-known/jwks.json").await;
    set.assert_json(200, &json!({"keys": []}));
    assert_ne!(problem, Value::Null);
}
