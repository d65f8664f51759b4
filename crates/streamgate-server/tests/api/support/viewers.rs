//! Viewer tokens, of this server and of an identity provider, and services that take them.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use streamgate_clock::wall_ms;
use streamgate_core::{TenantId, UserKey};
use streamgate_server::ServerSettings;
use streamgate_tokens::{
    Algorithm, FetchKeys, Fetched, Issuer, Location, OwnTokens, Secret, Settings, SigningKey,
    Source, Verifier,
};

use super::{Service, keys};

const SECRET: &[u8; 32] = b"what login and server both know!";
const ISS: &str = "https://login.example/";

/// A site that has no keys.
#[derive(Debug)]
pub(crate) struct Down;

impl FetchKeys for Down {
    fn fetch(&self, _: &Location) -> Result<Fetched, String> {
        Err("down".to_owned())
    }
}

/// A key to sign with, the same for all tests of a process.
pub(crate) fn signing_key() -> Arc<SigningKey> {
    let pem = SigningKey::generate_pem().unwrap();
    Arc::new(SigningKey::from_pem(pem.as_bytes()).unwrap())
}

/// Accepts the tokens of these settings.
pub(crate) fn verifier(settings: Settings, fetch: impl FetchKeys) -> Arc<Verifier> {
    let fetch: Arc<dyn FetchKeys> = Arc::new(fetch);
    Arc::new(Verifier::new(settings, &fetch, None).unwrap())
}

/// Own tokens by this key.
pub(crate) fn own(signing: &Arc<SigningKey>) -> OwnTokens {
    OwnTokens {
        signing: Some(Arc::clone(signing)),
        ..OwnTokens::default()
    }
}

/// An issuer named `login`.
pub(crate) fn login(source: Source, algorithm: Algorithm) -> Issuer {
    Issuer {
        name: "login".into(),
        issuer: ISS.to_owned(),
        audience: "streams".to_owned(),
        source,
        algorithms: vec![algorithm],
        tenant: TenantId::default_tenant(),
        user_claim: "sub".to_owned(),
        plan_claim: Some("plan".to_owned()),
        limit_claim: Some("limit".to_owned()),
    }
}

/// The same with a secret.
pub(crate) fn login_by_secret() -> Issuer {
    let secret = Secret::new(SECRET).unwrap();
    login(Source::Secret(secret), Algorithm::Hs256)
}

/// Settings with own tokens, and with these issuers.
pub(crate) fn settings(signing: &Arc<SigningKey>, issuers: Vec<Issuer>) -> Settings {
    Settings {
        issuers,
        own: own(signing),
    }
}

/// A token of `login` for a user, with further claims.
pub(crate) fn login_token(user: &str, claims: &Value) -> String {
    let mut all = json!({
        "iss": ISS, "aud": "streams", "sub": user, "exp": wall_ms() / 1_000 + 600,
    });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let key = EncodingKey::from_secret(SECRET).unwrap();
    encode(&Header::default(), &all, &key).unwrap()
}

/// An own token for a user of the default tenant.
pub(crate) fn own_token(signing: &SigningKey, user: &str) -> String {
    token_at(signing, user, 0)
}

/// An own token that was minted so many seconds ago, for ten minutes.
pub(crate) fn token_at(signing: &SigningKey, user: &str, ago_s: i64) -> String {
    let user = UserKey::of_text(&TenantId::default_tenant(), user).unwrap();
    let now_s = wall_ms() / 1_000 - ago_s;
    let minted = signing.mint(("streamgate", "streamgate"), &user, now_s, 600);
    minted.unwrap().token
}

/// A service with keys, own tokens and `login`.
pub(crate) fn service(signing: &Arc<SigningKey>) -> Service {
    let settings = settings(signing, vec![login_by_secret()]);
    Service::with(ServerSettings {
        keys: keys(),
        tokens: Some(verifier(settings, Down)),
        ..ServerSettings::default()
    })
}

/// A request with a token.
pub(crate) fn bearing(token: &str, mut request: Request<Body>) -> Request<Body> {
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    request
}
