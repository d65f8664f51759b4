//! Tokens that somebody else made.

use serde_json::{Value, json};
use streamgate_tokens::{Algorithm, KeySet, Secret, Source, TOKEN_MAX_BYTES};

use crate::support::{
    EcKey, ISS, RsaKey, accepted, after, base64, claims, claims_with, class, forged, hmac, issuer,
    set_of, verifier, verifier_of,
};

const SECRET: &[u8; 40] = b"a secret that is long enough for HMACs!!";

#[test]
fn a_token_of_a_known_key_is_accepted_and_one_of_another_key_is_not() {
    let (key, thief) = (EcKey::new("1"), EcKey::new("1"));
    let verifier = verifier_of(&[key.jwk()]);
    let viewer = accepted(&verifier, &key.token(&claims()), after(0));
    assert_eq!(
        (viewer.user.user(), viewer.user.tenant()),
        ("anna", "default")
    );
    assert_eq!(&*viewer.issuer, "login");
    assert_eq!(
        class(&verifier, thief.token(&claims()), after(0)),
        "signature"
    );
}

#[test]
fn a_token_of_each_kind_of_key_is_accepted() {
    let rsa = RsaKey::new();
    let verifier_of_rsa = verifier_of(&[rsa.jwk("r")]);
    let header = json!({"alg": "RS256", "kid": "r"});
    let token = forged(&header, &claims(), |message| rsa.sign(message));
    accepted(&verifier_of_rsa, &token, after(0));

    let secret = Source::Secret(Secret::new(SECRET).unwrap());
    let verifier = verifier(issuer(secret, &[Algorithm::Hs256]));
    for header in [
        json!({"alg": "HS256"}),
        json!({"alg": "HS256", "kid": "any"}),
    ] {
        let token = forged(&header, &claims(), |message| hmac(SECRET, message));
        accepted(&verifier, &token, after(0));
    }
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let key = EcKey::new("1");
    let verifier = verifier_of(&[key.jwk()]);
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for header in [json!({"alg": alg}), json!({"alg": alg, "kid": "1"})] {
            let unsigned = forged(&header, &claims(), |_| Vec::new());
            assert_eq!(class(&verifier, unsigned, after(0)), "signature", "{alg}");
            let signed = forged(&header, &claims(), |message| key.sign(message));
            assert_eq!(class(&verifier, signed, after(0)), "signature", "{alg}");
        }
    }
    for header in [
        json!({"kid": "1"}),
        json!({"alg": null, "kid": "1"}),
        json!({"alg": 5}),
    ] {
        let token = forged(&header, &claims(), |message| key.sign(message));
        assert_eq!(class(&verifier, token, after(0)), "signature", "{header}");
    }
    let token = key.token(&claims());
    let (message, _) = token.rsplit_once('.').unwrap();
    assert_eq!(
        class(&verifier, format!("{message}."), after(0)),
        "signature"
    );
}

#[test]
fn an_algorithm_that_the_settings_do_not_name_is_refused() {
    let rsa = RsaKey::new();
    let set = KeySet::parse(&set_of(&[rsa.jwk("r")])).unwrap();
    let verifier = verifier(issuer(
        Source::Set(set),
        &[Algorithm::Es256, Algorithm::Ps256],
    ));
    let header = json!({"alg": "RS256", "kid": "r"});
    let token = forged(&header, &claims(), |message| rsa.sign(message));
    assert_eq!(class(&verifier, token, after(0)), "signature");
}

/// Key confusion: what everybody knows of a public key is taken for a secret.
#[test]
fn a_public_key_is_no_secret() {
    let (key, rsa) = (EcKey::new("1"), RsaKey::new());
    let jwk = key.jwk();
    let set = set_of(&[jwk.clone(), rsa.jwk("r")]);
    let all = Algorithm::ALL;
    let keys = KeySet::parse(&set).unwrap();
    // Even where the settings would allow it.
    for verifier in [
        verifier_of(&[jwk.clone(), rsa.jwk("r")]),
        verifier(issuer(Source::Set(keys), &all)),
    ] {
        for secret in [
            key.point(),
            &set,
            jwk["x"].as_str().unwrap().as_bytes(),
            jwk.to_string().as_bytes(),
            rsa.jwk("r")["n"].as_str().unwrap().as_bytes(),
            b"",
        ] {
            for kid in ["1", "r"] {
                for alg in ["HS256", "HS384", "HS512"] {
                    let header = json!({"alg": alg, "kid": kid});
                    let token = forged(&header, &claims(), |message| hmac(secret, message));
                    assert_eq!(class(&verifier, token, after(0)), "signature");
                }
            }
        }
    }
}

#[test]
fn a_key_of_another_kind_or_for_another_algorithm_does_not_fit() {
    let (key, rsa) = (EcKey::new("1"), RsaKey::new());
    let verifier = verifier_of(&[key.jwk(), rsa.jwk("r")]);
    for header in [
        json!({"alg": "RS256", "kid": "1"}),
        json!({"alg": "ES384", "kid": "1"}),
        json!({"alg": "EdDSA", "kid": "1"}),
        json!({"alg": "ES256", "kid": "r"}),
    ] {
        for sign in [&(|m: &[u8]| key.sign(m)) as &dyn Fn(&[u8]) -> _, &|m| {
            rsa.sign(m)
        }] {
            let token = forged(&header, &claims(), sign);
            assert_eq!(class(&verifier, token, after(0)), "signature", "{header}");
        }
    }
    // A key that says what it is for is for nothing else.
    let mut jwk = rsa.jwk("r");
    jwk["alg"] = json!("RS512");
    let verifier = verifier_of(&[jwk]);
    let header = json!({"alg": "RS256", "kid": "r"});
    let token = forged(&header, &claims(), |message| rsa.sign(message));
    assert_eq!(class(&verifier, token, after(0)), "signature");
}

#[test]
fn kid_is_a_name_to_compare_and_nothing_else() {
    let key = EcKey::new("1");
    let verifier = verifier_of(&[key.jwk()]);
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "https://evil.example/keys",
        "' OR '1'='1",
        "1\u{0}",
        " 1",
        "1 ",
        "",
        &"1".repeat(4_000),
    ] {
        let header = json!({"alg": "ES256", "kid": kid});
        let token = forged(&header, &claims(), |message| key.sign(message));
        assert_eq!(class(&verifier, token, after(0)), "signature", "{kid:?}");
    }
    for kid in [json!(1), json!(["1"]), json!({"1": 1})] {
        let header = json!({"alg": "ES256", "kid": kid});
        let token = forged(&header, &claims(), |message| key.sign(message));
        assert_eq!(class(&verifier, token, after(0)), "signature", "{kid}");
    }
}

#[test]
fn without_a_kid_a_few_keys_are_tried_and_many_are_not() {
    let keys: Vec<EcKey> = (0..5).map(|it| EcKey::new(&it.to_string())).collect();
    let jwks: Vec<Value> = keys.iter().map(EcKey::jwk).collect();
    let header = json!({"alg": "ES256"});
    let token = forged(&header, &claims(), |message| keys[3].sign(message));
    accepted(&verifier_of(&jwks[..4]), &token, after(0));
    assert_eq!(class(&verifier_of(&jwks), &token, after(0)), "signature");
    accepted(&verifier_of(&jwks), &keys[3].token(&claims()), after(0));
}

#[test]
fn keys_and_addresses_that_a_token_brings_are_ignored() {
    let (key, thief) = (EcKey::new("1"), EcKey::new("thief"));
    let verifier = verifier_of(&[key.jwk()]);
    let brought = [
        ("jwk", thief.jwk()),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/certificate")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("abc")),
    ];
    for (name, value) in brought {
        for kid in [json!("1"), json!("thief"), Value::Null] {
            let header = json!({"alg": "ES256", "kid": kid, name: value});
            let token = forged(&header, &claims(), |message| thief.sign(message));
            assert_eq!(class(&verifier, token, after(0)), "signature", "{header}");
        }
        let header = json!({"alg": "ES256", "kid": "1", name: value});
        let token = forged(&header, &claims(), |message| key.sign(message));
        accepted(&verifier, &token, after(0));
    }
}

#[test]
fn a_critical_header_that_is_not_understood_is_refused() {
    let key = EcKey::new("1");
    let verifier = verifier_of(&[key.jwk()]);
    for (crit, name, value) in [
        (json!(["exp"]), "exp", json!(1)),
        (json!(["urn:example:x"]), "urn:example:x", json!(true)),
        (json!(["b64"]), "b64", json!(false)),
        (json!(["b64", "x"]), "b64", json!(true)),
        (json!([]), "x", json!(1)),
        (json!("b64"), "b64", json!(true)),
    ] {
        let header = json!({"alg": "ES256", "kid": "1", "crit": crit, name: value});
        let token = forged(&header, &claims(), |message| key.sign(message));
        assert_eq!(class(&verifier, token, after(0)), "signature", "{header}");
    }
    let header = json!({"alg": "ES256", "kid": "1", "urn:example:x": true});
    let token = forged(&header, &claims(), |message| key.sign(message));
    accepted(&verifier, &token, after(0));
}

#[test]
fn a_token_of_8_kib_is_read_and_a_longer_one_is_not() {
    let key = EcKey::new("1");
    let verifier = verifier_of(&[key.jwk()]);
    let token_of = |padding: usize| key.token(&claims_with("padding", json!("x".repeat(padding))));
    let (mut longest, mut padding) = (token_of(0), 0);
    loop {
        padding += 1;
        let next = token_of(padding);
        if next.len() > TOKEN_MAX_BYTES {
            assert_eq!(class(&verifier, next, after(0)), "too_long");
            break;
        }
        longest = next;
    }
    assert!(longest.len() > TOKEN_MAX_BYTES - 4);
    accepted(&verifier, &longest, after(0));
    assert_eq!(
        class(&verifier, "a.b.c".repeat(1_000_000), after(0)),
        "too_long"
    );
}

#[test]
fn what_is_no_token_is_refused() {
    let key = EcKey::new("1");
    let verifier = verifier_of(&[key.jwk()]);
    let good = key.token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let list = base64("[]");
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "a.b.c".to_owned(),
        "\u{0}.\u{0}.\u{0}".to_owned(),
        format!("{good}."),
        format!(".{good}"),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{list}.{}", parts[0], parts[2]),
        format!("{}={}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
    ] {
        assert_eq!(class(&verifier, &text, after(0)), "malformed", "{text}");
    }
    assert_eq!(class(&verifier, b"\xff.\xff.\xff", after(0)), "malformed");
    let other = claims_with("iss", json!("https://other.example/"));
    assert_eq!(
        class(&verifier, key.token(&other), after(0)),
        "unknown_issuer"
    );
}

/// No character of a token can be another, not even one whose bits nobody would use.
#[test]
fn every_changed_character_is_refused() {
    let key = EcKey::new("1");
    let verifier = verifier_of(&[key.jwk()]);
    let good = key.token(&claims());
    accepted(&verifier, &good, after(0));
    for place in 0..good.len() {
        for other in [b'A', b'B', b'_', b'.', b'='] {
            let mut changed = good.clone().into_bytes();
            if std::mem::replace(&mut changed[place], other) != other {
                assert_ne!(class(&verifier, &changed, after(0)), "ok", "{place}");
            }
        }
    }
    accepted(&verifier, &good, after(0));
}

#[test]
fn a_secret_that_can_be_guessed_and_a_set_without_public_keys_are_refused() {
    assert!(Secret::new(b"short").is_err());
    assert!(Secret::new(&[b'x'; 31]).is_err());
    assert!(Secret::new(&[b'x'; 32]).is_ok());
    let line = [&[b'x'; 32][..], b"\r\n"].concat();
    assert!(Secret::new(&line).unwrap() == Secret::new(&[b'x'; 32]).unwrap());

    let key = EcKey::new("1");
    let published_secret = json!({"kty": "oct", "kid": "s", "k": base64(SECRET), "alg": "HS256"});
    for set in [
        json!({"keys": []}),
        json!({"keys": [published_secret]}),
        json!({"keys": [{"kty": "new"}]}),
        json!({"keys": {}}),
        json!([key.jwk()]),
        json!({}),
    ] {
        assert!(KeySet::parse(set.to_string().as_bytes()).is_err(), "{set}");
    }
    let verifier = verifier_of(&[key.jwk(), published_secret, json!({"kty": "new"})]);
    accepted(&verifier, &key.token(&claims()), after(0));
    for unfit in [("use", json!("enc")), ("key_ops", json!(["sign"]))] {
        let mut jwk = key.jwk();
        jwk[unfit.0] = unfit.1;
        assert!(KeySet::parse(&set_of(&[jwk])).is_err());
    }
    let mut jwk = key.jwk();
    jwk["use"] = json!("sig");
    jwk["key_ops"] = json!(["verify"]);
    accepted(&verifier_of(&[jwk]), &key.token(&claims()), after(0));
    assert_eq!(ISS, "https://login.example/");
}

#[test]
fn a_key_set_is_bounded_in_bytes_and_in_keys() {
    let key = EcKey::new("1").jwk();
    let of = |count: usize| set_of(&vec![key.clone(); count]);
    assert!(KeySet::parse(&of(64)).is_ok());
    assert!(KeySet::parse(&of(65)).is_err());
    let mut padded = of(1);
    padded.resize(64 * 1024, b' ');
    assert!(KeySet::parse(&padded).is_ok());
    padded.push(b' ');
    assert!(KeySet::parse(&padded).is_err());
}
