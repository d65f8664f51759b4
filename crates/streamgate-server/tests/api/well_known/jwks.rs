//! `/.well-known/jwks.json`

use std::sync::Arc;

use serde_json::json;
use streamgate_server::ServerSettings;
use streamgate_tokens::{KeySet, OwnTokens, Settings, SigningKey};

use crate::support::viewers::{Down, own_token, signing_key, verifier};
use crate::support::{Service, keys};

const PATH: &str = "/.well-known/jwks.json";

fn tokens(signing: &Arc<SigningKey>, previous: Option<&SigningKey>) -> Settings {
    Settings {
        issuers: Vec::new(),
        own: OwnTokens {
            signing: Some(Arc::clone(signing)),
            previous: previous.map(|key| key.public().clone()),
            ..OwnTokens::default()
        },
    }
}

/// The keys that are published are those whose tokens are accepted, before, during and after one
/// replaces the other.
#[tokio::test]
async fn the_public_keys_overlap_while_one_replaces_the_other() {
    let (old, new) = (signing_key(), signing_key());
    let service = Service::with(ServerSettings {
        keys: keys(),
        tokens: Some(verifier(tokens(&old, None), Down)),
        ..ServerSettings::default()
    });
    let (of_old, of_new) = (own_token(&old, "u"), own_token(&new, "u"));
    let published = async || {
        let answer = service.get(PATH).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        assert!(KeySet::parse(&answer.body).is_ok());
        let keys = answer.json()["keys"].as_array().unwrap().clone();
        let kids = keys
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned());
        kids.collect::<Vec<_>>()
    };
    let accepted = async |token: &str| {
        let answer = service
            .call_with(token, "GET", "/v1/users/u/sessions")
            .await;
        answer.status == 200
    };
    assert_eq!(published().await, [old.public().id()]);
    assert!(accepted(&of_old).await && !accepted(&of_new).await);

    let both = verifier(tokens(&new, Some(&old)), Down);
    service.endpoints.set_tokens(both);
    assert_eq!(published().await, [new.public().id(), old.public().id()]);
    assert!(accepted(&of_old).await && accepted(&of_new).await);

    let behind = verifier(tokens(&new, None), Down);
    service.endpoints.set_tokens(behind);
    assert_eq!(published().await, [new.public().id()]);
    assert!(!accepted(&of_old).await && accepted(&of_new).await);
    assert_ne!(json!(of_old), json!(of_new));
}
