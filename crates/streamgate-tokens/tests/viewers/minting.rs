//! Tokens that are minted here, and the keys that sign them.

use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use streamgate_core::{TenantId, UserKey};
use streamgate_tokens::{
    OwnTokens, Settings, SigningKey, SigningKeyError, Verifier, VerifyingKey, key_set_of,
};

use crate::support::{EcKey, NOW_S, Site, accepted, after, class};

const NAMES: (&str, &str) = ("streamgate", "streamgate");

fn key() -> SigningKey {
    let pem = SigningKey::generate_pem().unwrap();
    SigningKey::from_pem(pem.as_bytes()).unwrap()
}

fn user(tenant: &str, user: &str) -> UserKey {
    UserKey::of_text(&TenantId::new(tenant).unwrap(), user).unwrap()
}

fn verifier(signing: SigningKey) -> Verifier {
    let settings = Settings {
        issuers: Vec::new(),
        own: OwnTokens {
            signing: Some(Arc::new(signing)),
            ..OwnTokens::default()
        },
    };
    Verifier::new(settings, &(Arc::new(Site::default()) as Arc<_>), None).unwrap()
}

fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn a_minted_token_says_what_the_api_says() {
    let key = key();
    let minted = key
        .mint(NAMES, &user("acme", "anna/ü"), NOW_S, 600)
        .unwrap();
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": key.public().id()});
    assert_eq!(part(&minted.token, 0), header);
    let claims = json!({
        "iss": "streamgate",
        "aud": "streamgate",
        "sub": "anna/ü",
        "tenant": "acme",
        "scope": "viewer",
        "iat": NOW_S,
        "exp": NOW_S + 600,
        "jti": minted.token_id,
    });
    assert_eq!(part(&minted.token, 1), claims);
    assert_eq!(minted.expires_at_s, NOW_S + 600);
    let other = key
        .mint(NAMES, &user("acme", "anna/ü"), NOW_S, 600)
        .unwrap();
    assert_ne!(minted.token_id, other.token_id);
    assert!(!format!("{minted:?}{key:?}").contains(&minted.token));

    let verifier = verifier(key);
    assert!(verifier.is_own(minted.token.as_bytes()));
    let viewer = accepted(&verifier, &minted.token, after(0));
    assert_eq!(viewer.user, user("acme", "anna/ü"));
    assert_eq!(viewer.tenant.as_str(), "acme");
    assert_eq!(viewer.token_id.as_deref(), Some(&*minted.token_id));
    assert_eq!(viewer.entitlement, Ok(None));
    assert_eq!(class(&verifier, &minted.token, after(660)), "expired");
    assert!(!format!("{viewer:?}").contains(&minted.token));
}

/// A token of our own key that is no viewer's, such as one for a CDN, opens nothing here.
#[test]
fn an_own_token_must_have_the_scope_and_a_tenant() {
    let pem = SigningKey::generate_pem().unwrap();
    let encoding = jsonwebtoken::EncodingKey::from_ec_der(&der(&pem));
    let key = SigningKey::from_pem(pem.as_bytes()).unwrap();
    let id = key.public().id().to_owned();
    let verifier = verifier(key);
    let good = json!({
        "iss": "streamgate", "aud": "streamgate", "sub": "anna", "tenant": "default",
        "scope": "viewer", "exp": NOW_S + 60,
    });
    let signed = |claims: &Value| {
        let header = jsonwebtoken::Header {
            kid: Some(id.clone()),
            ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &encoding).unwrap()
    };
    accepted(&verifier, &signed(&good), after(0));
    for (claim, value) in [
        ("scope", json!("lease")),
        ("scope", json!("viewer admin")),
        ("scope", Value::Null),
        ("tenant", json!("")),
        ("tenant", Value::Null),
        ("aud", json!("other")),
    ] {
        let mut claims = good.clone();
        claims[claim] = value;
        assert_eq!(
            class(&verifier, signed(&claims), after(0)),
            "claims",
            "{claim}"
        );
    }
}

/// The bytes of a key in PEM.
fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    let text: String = lines.collect();
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

#[test]
fn the_key_set_has_the_public_half_by_its_thumbprint_and_nothing_else() {
    let (one, two) = (key(), key());
    let set = key_set_of([one.public(), two.public()].into_iter());
    let set: Value = serde_json::from_str(&set).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for (jwk, key) in keys.iter().zip([&one, &two]) {
        let names: Vec<&String> = jwk.as_object().unwrap().keys().collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        let parsed: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk.clone()).unwrap();
        let thumbprint = parsed.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256);
        assert_eq!(jwk["kid"], json!(thumbprint.unwrap()));
        assert_eq!(jwk["kid"], json!(key.public().id()));
    }
    assert_eq!(key_set_of([].into_iter()), r#"{"keys":[]}"#);
}

#[test]
fn keys_are_read_as_openssl_writes_them() {
    let dir = tempfile::tempdir().unwrap();
    let openssl = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(dir.path())
            .output()
            .expect("openssl is there: ./test installs it");
        assert!(output.status.success(), "{arguments}: {output:?}");
        output.stdout
    };
    openssl("ecparam -genkey -name prime256v1 -out sec1.pem");
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let key = SigningKey::from_pem(&read("sec1.pem")).unwrap();
    openssl("pkcs8 -topk8 -nocrypt -in sec1.pem -out pkcs8.pem");
    assert_eq!(SigningKey::from_pem(&read("pkcs8.pem")).unwrap(), key);
    let public = openssl("ec -in sec1.pem -pubout");
    assert_eq!(&VerifyingKey::from_pem(&public).unwrap(), key.public());
    assert_eq!(
        &VerifyingKey::from_pem(&read("sec1.pem")).unwrap(),
        key.public()
    );
    assert_eq!(SigningKey::from_pem(&public), Err(SigningKeyError::NotPem));

    openssl("ecparam -genkey -name secp384r1 -noout -out p384.pem");
    openssl("genrsa -out rsa.pem 2048");
    for other in ["p384.pem", "rsa.pem"] {
        assert_eq!(
            SigningKey::from_pem(&read(other)),
            Err(SigningKeyError::NotP256)
        );
        assert_eq!(
            VerifyingKey::from_pem(&read(other)),
            Err(SigningKeyError::NotP256)
        );
    }
    for text in [&b""[..], b"no key", b"-----BEGIN PRIVATE KEY-----"] {
        assert_eq!(SigningKey::from_pem(text), Err(SigningKeyError::NotPem));
        assert_eq!(
            VerifyingKey::from_pem(text),
            Err(SigningKeyError::NotPemOfEither)
        );
    }
}

#[test]
fn a_server_without_a_key_accepts_nobodys_tokens_as_its_own() {
    let verifier = Verifier::default();
    let token = key()
        .mint(NAMES, &user("default", "anna"), NOW_S, 60)
        .unwrap()
        .token;
    assert!(!verifier.is_own(token.as_bytes()));
    assert_eq!(class(&verifier, &token, after(0)), "unknown_issuer");
    let stranger = EcKey::new("1").token(&json!({"iss": "streamgate", "exp": NOW_S + 60}));
    assert_eq!(class(&verifier, stranger, after(0)), "unknown_issuer");
}
