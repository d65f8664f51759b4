//! Key sets at a URL: fetched, kept while they cannot be, and given up.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use streamgate_tokens::{Now, Refused, Verifier};

use crate::support::{
    EcKey, Site, accepted, after, claims, claims_with, class, fetch, remote_verifier,
};

const DAY_S: i64 = 86_400;

/// A site with one key, and a verifier that has fetched it.
fn fetched() -> (Arc<Site>, EcKey, Verifier) {
    let (site, key) = (Arc::new(Site::default()), EcKey::new("1"));
    site.publish(&[key.jwk()]);
    let verifier = remote_verifier(&site);
    fetch(&verifier, after(0));
    (site, key, verifier)
}

/// A token that is valid for a year.
fn long(key: &EcKey) -> String {
    key.token(&claims_with(
        "exp",
        json!(crate::support::NOW_S + 365 * DAY_S),
    ))
}

#[test]
fn without_keys_every_token_waits_for_them() {
    let (site, key) = (Arc::new(Site::default()), EcKey::new("1"));
    let verifier = remote_verifier(&site);
    let token = key.token(&claims());
    let refused = verifier.verify(token.as_bytes(), after(0)).unwrap_err();
    assert!(matches!(
        refused,
        Refused::KeysUnavailable {
            fetching: Some(_),
            ..
        }
    ));
    fetch(&verifier, after(0));
    let refused = verifier.verify(token.as_bytes(), after(1)).unwrap_err();
    assert!(matches!(
        refused,
        Refused::KeysUnavailable { fetching: None, .. }
    ));
    assert_eq!(verifier.status()[0].failures, 1);
    site.publish(&[key.jwk()]);
    fetch(&verifier, after(4));
    assert_eq!(class(&verifier, &token, after(4)), "keys_unavailable");
    fetch(&verifier, after(5));
    accepted(&verifier, &token, after(5));
    assert_eq!(site.asked(), 2);
}

/// The promise about an issuer that is down: stale keys serve for a day, then 503 with a reason.
#[test]
fn keys_that_cannot_be_fetched_serve_for_a_day() {
    let (site, key, verifier) = fetched();
    let token = long(&key);
    accepted(&verifier, &token, after(0));
    site.answer(None, None);
    for second in (300..DAY_S).step_by(30) {
        fetch(&verifier, after(second));
    }
    accepted(&verifier, &token, after(DAY_S - 1));
    verifier.forget();
    accepted(&verifier, &token, after(DAY_S - 1));
    // The cache does not outlive the keys.
    assert_eq!(class(&verifier, &token, after(DAY_S)), "keys_unavailable");
    site.publish(&[key.jwk()]);
    fetch(&verifier, after(DAY_S + 60));
    accepted(&verifier, &token, after(DAY_S + 60));
}

#[test]
fn an_answer_that_is_no_key_set_changes_nothing() {
    let (site, key, verifier) = fetched();
    let token = long(&key);
    let bodies: [&[u8]; 4] = [b"", b"<html>", b"{\"keys\":[]}", &[b' '; 64 * 1024 + 1]];
    for (body, second) in bodies.into_iter().zip((300..).step_by(300)) {
        site.answer(Some(body.to_vec()), None);
        fetch(&verifier, after(second));
        accepted(&verifier, &token, after(second));
    }
    assert_eq!(verifier.status()[0].failures, 4);
}

#[test]
fn keys_are_fetched_again_after_as_long_as_their_answer_says() {
    let (site, key) = (Arc::new(Site::default()), EcKey::new("1"));
    let body = crate::support::set_of(&[key.jwk()]);
    site.answer(Some(body), Some(Duration::from_secs(900)));
    let verifier = remote_verifier(&site);
    for (second, asked) in [(0, 1), (1, 1), (899, 1), (900, 2), (1_799, 2), (1_800, 3)] {
        fetch(&verifier, after(second));
        assert_eq!(site.asked(), asked, "{second}");
    }
}

#[tokio::test]
async fn a_thread_fetches_and_tells_those_who_wait() {
    let (site, key) = (Arc::new(Site::default()), EcKey::new("1"));
    site.publish(&[key.jwk()]);
    let verifier = remote_verifier(&site);
    let token = key.token(&claims());
    // Of the wall clock that the claims are compared with; the other is the verifier's own.
    let now = || Now {
        wall_s: crate::support::NOW_S,
        ..verifier.now()
    };
    let Err(Refused::KeysUnavailable { fetching, issuer }) =
        verifier.verify(token.as_bytes(), now())
    else {
        panic!("there are no keys yet");
    };
    assert_eq!(&*issuer, "login");
    for keys in verifier.remote_keys() {
        keys.start().unwrap();
    }
    fetching.unwrap().ended().await;
    accepted(&verifier, &token, now());
    assert_eq!(site.asked(), 1);
    assert!(verifier.status()[0].age.is_some());
    for keys in verifier.remote_keys() {
        keys.stop();
    }
}
