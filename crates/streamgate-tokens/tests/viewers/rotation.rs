//! Keys that replace each other.

use std::sync::Arc;

use serde_json::json;
use streamgate_core::{TenantId, UserKey};
use streamgate_tokens::{
    Algorithm, Issuer, OwnTokens, Settings, SettingsError, SigningKey, Source, Verifier,
};

use crate::support::{
    EcKey, NOW_S, Site, accepted, after, claims, class, fetch, issuer, location, remote_verifier,
};

fn signing_key() -> Arc<SigningKey> {
    let pem = SigningKey::generate_pem().unwrap();
    Arc::new(SigningKey::from_pem(pem.as_bytes()).unwrap())
}

fn own(signing: &Arc<SigningKey>, previous: Option<&SigningKey>) -> Settings {
    Settings {
        issuers: Vec::new(),
        own: OwnTokens {
            signing: Some(Arc::clone(signing)),
            previous: previous.map(|key| key.public().clone()),
            ..OwnTokens::default()
        },
    }
}

fn verifier(settings: Settings) -> Verifier {
    Verifier::new(settings, &(Arc::new(Site::default()) as Arc<_>), None).unwrap()
}

fn minted(key: &SigningKey) -> String {
    let user = UserKey::of_text(&TenantId::default_tenant(), "anna").unwrap();
    let minted = key.mint(("streamgate", "streamgate"), &user, NOW_S, 3_600);
    minted.unwrap().token
}

#[test]
fn own_keys_overlap_while_one_replaces_the_other() {
    let (old, new) = (signing_key(), signing_key());
    let (of_old, of_new) = (minted(&old), minted(&new));
    let before = verifier(own(&old, None));
    accepted(&before, &of_old, after(0));
    assert_eq!(class(&before, &of_new, after(0)), "signature");
    let during = verifier(own(&new, Some(&old)));
    accepted(&during, &of_old, after(0));
    accepted(&during, &of_new, after(0));
    assert_eq!(during.own().keys().count(), 2);
    let behind = verifier(own(&new, None));
    assert_eq!(class(&behind, &of_old, after(0)), "signature");
    accepted(&behind, &of_new, after(0));
    // The same key twice is one key.
    assert_eq!(verifier(own(&new, Some(&new))).own().keys().count(), 1);
}

#[test]
fn a_new_key_of_an_issuer_is_fetched_when_a_token_names_it() {
    let (site, old, new) = (
        Arc::new(Site::default()),
        EcKey::new("old"),
        EcKey::new("new"),
    );
    site.publish(&[old.jwk()]);
    let verifier = remote_verifier(&site);
    fetch(&verifier, after(0));
    let (of_old, of_new) = (old.token(&claims()), new.token(&claims()));
    accepted(&verifier, &of_old, after(1));

    site.publish(&[old.jwk(), new.jwk()]);
    // Within 30 s of a fetch there is no other, whatever tokens name.
    assert_eq!(class(&verifier, &of_new, after(29)), "signature");
    fetch(&verifier, after(29));
    assert_eq!(site.asked(), 1);
    assert_eq!(class(&verifier, &of_new, after(30)), "keys_unavailable");
    fetch(&verifier, after(30));
    accepted(&verifier, &of_new, after(30));
    accepted(&verifier, &of_old, after(30));
    assert_eq!(site.asked(), 2);

    // A key that is published no more is accepted no more, although its token is remembered.
    site.publish(&[new.jwk()]);
    fetch(&verifier, after(330));
    assert_eq!(class(&verifier, &of_old, after(330)), "signature");
    accepted(&verifier, &of_new, after(330));
}

#[test]
fn tokens_that_name_unknown_keys_cause_one_fetch_in_30_seconds() {
    let (site, key) = (Arc::new(Site::default()), EcKey::new("1"));
    site.publish(&[key.jwk()]);
    let verifier = remote_verifier(&site);
    for second in 0..300 {
        for other in ["2", "3"] {
            let _ = verifier.verify(EcKey::new(other).token(&claims()).as_bytes(), after(second));
            fetch(&verifier, after(second));
        }
    }
    assert_eq!(site.asked(), 10);
    // The known key is accepted all the while.
    accepted(&verifier, &key.token(&claims()), after(300));
}

#[test]
fn fetched_keys_survive_a_reload_of_the_settings() {
    let (site, key) = (Arc::new(Site::default()), EcKey::new("1"));
    site.publish(&[key.jwk()]);
    let before = remote_verifier(&site);
    fetch(&before, after(0));
    let settings = |issuer: Issuer| Settings {
        issuers: vec![issuer],
        ..Settings::default()
    };
    let fetcher = Arc::clone(&site) as Arc<_>;
    let same = issuer(Source::Url(location()), &[Algorithm::Es256]);
    let stays = Verifier::new(settings(same.clone()), &fetcher, Some(&before)).unwrap();
    fetch(&stays, after(1));
    accepted(&stays, &key.token(&claims()), after(1));
    assert_eq!(site.asked(), 1);
    let renamed = Issuer {
        name: "another".into(),
        ..same
    };
    let moves = Verifier::new(settings(renamed), &fetcher, Some(&before)).unwrap();
    assert_eq!(
        class(&moves, key.token(&claims()), after(1)),
        "keys_unavailable"
    );
}

#[test]
fn a_token_has_one_issuer_at_most() {
    let set = || Source::Secret(streamgate_tokens::Secret::new(&[b's'; 32]).unwrap());
    let first = issuer(set(), &[Algorithm::Hs256]);
    let named = |name: &str, iss: &str| Issuer {
        name: name.into(),
        issuer: iss.to_owned(),
        ..first.clone()
    };
    let check = |second: Issuer| {
        let issuers = vec![first.clone(), second];
        Settings {
            issuers,
            ..Settings::default()
        }
        .check()
    };
    assert_eq!(check(named("b", "b")), Ok(()));
    assert!(matches!(
        check(named("login", "b")),
        Err(SettingsError::Name(_))
    ));
    assert!(matches!(
        check(named("b", &first.issuer)),
        Err(SettingsError::Issuer(_))
    ));
    assert!(matches!(
        check(named("b", "streamgate")),
        Err(SettingsError::Issuer(_))
    ));
    assert_eq!(json!(first.issuer), claims()["iss"]);
}
