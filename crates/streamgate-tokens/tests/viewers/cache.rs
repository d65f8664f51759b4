//! The cache of verified tokens.

use std::sync::Arc;

use serde_json::json;

use crate::support::{EcKey, NOW_S, accepted, after, claims_with, class, verifier_of};

#[test]
fn a_verified_token_is_remembered_until_it_is_over() {
    let key = EcKey::new("1");
    let verifier = verifier_of(&[key.jwk()]);
    let token = key.token(&claims_with("exp", json!(NOW_S + 100)));
    let first = accepted(&verifier, &token, after(0));
    let second = accepted(&verifier, &token, after(159));
    assert!(Arc::ptr_eq(&first, &second), "it was verified once");
    assert_eq!(verifier.remembered(), 1);
    assert_eq!(class(&verifier, &token, after(160)), "expired");
    assert_eq!(verifier.remembered(), 0, "forgotten at its end");
    assert_eq!(class(&verifier, &token, after(160)), "expired");
}

#[test]
fn a_refused_token_is_not_remembered() {
    let key = EcKey::new("1");
    let verifier = verifier_of(&[key.jwk()]);
    for token in [
        EcKey::new("1").token(&claims_with("sub", json!("bob"))),
        key.token(&claims_with("exp", json!(1))),
        key.token(&claims_with("aud", json!("other"))),
    ] {
        assert_ne!(class(&verifier, token, after(0)), "ok");
    }
    assert_eq!(verifier.remembered(), 0);
}

#[test]
fn forgotten_tokens_are_verified_anew() {
    let key = EcKey::new("1");
    let verifier = verifier_of(&[key.jwk()]);
    let token = key.token(&claims_with("sub", json!("bob")));
    let first = accepted(&verifier, &token, after(0));
    verifier.forget();
    assert_eq!(verifier.remembered(), 0);
    let second = accepted(&verifier, &token, after(0));
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(first.user, second.user);
}

/// Neither the number of viewers nor the length of their tokens makes the cache larger than its
/// bound of 64 MiB.
#[test]
fn the_cache_is_bounded_in_bytes() {
    const TOKENS: usize = 9_000;
    let secret = [b's'; 32];
    let source =
        streamgate_tokens::Source::Secret(streamgate_tokens::Secret::new(&secret).unwrap());
    let issuer = crate::support::issuer(source, &[streamgate_tokens::Algorithm::Hs256]);
    let verifier = crate::support::verifier(issuer);
    let padding = "x".repeat(5_700);
    let mut bytes = 0;
    for user in 0..TOKENS {
        let mut claims = claims_with("sub", json!(user));
        claims["padding"] = json!(padding);
        let header = json!({"alg": "HS256"});
        let token = crate::support::forged(&header, &claims, |message| {
            crate::support::hmac(&secret, message)
        });
        bytes += token.len();
        accepted(&verifier, &token, after(0));
    }
    assert!(bytes > 64 << 20, "{bytes}");
    let bound = (64 << 20) / (bytes / TOKENS);
    let remembered = verifier.remembered();
    assert!(
        (bound / 2..=bound).contains(&remembered),
        "{remembered} of {bound}"
    );
}
