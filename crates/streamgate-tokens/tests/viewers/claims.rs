//! What the claims of a signed token must say.

use serde_json::{Value, json};
use streamgate_core::admission::{Edit, SetUser};
use streamgate_core::ids::Name;
use streamgate_tokens::{BadEntitlement, Verifier};

use crate::support::{
    AUD, EcKey, ISS, NOW_S, accepted, after, claims, claims_with, claims_without, class,
    verifier_of,
};

fn of(key: &EcKey) -> Verifier {
    verifier_of(&[key.jwk()])
}

#[test]
fn a_token_without_an_expiry_is_refused() {
    let key = EcKey::new("1");
    let verifier = of(&key);
    let token = key.token(&claims_without("exp"));
    assert_eq!(class(&verifier, token, after(0)), "claims");
    for exp in [Value::Null, json!("9999999999"), json!([]), json!(true)] {
        let token = key.token(&claims_with("exp", exp.clone()));
        assert_eq!(class(&verifier, token, after(0)), "claims", "{exp}");
    }
    for exp in [json!(-1), json!(0), json!(-1e300)] {
        let token = key.token(&claims_with("exp", exp.clone()));
        assert_eq!(class(&verifier, token, after(0)), "expired", "{exp}");
    }
    for exp in [json!(1e300), json!(u64::MAX)] {
        accepted(&verifier, &key.token(&claims_with("exp", exp)), after(0));
    }
}

/// The clocks of both sides may be 60 s apart, in either direction.
#[test]
fn a_skew_of_60_seconds_is_allowed_and_no_more() {
    let key = EcKey::new("1");
    let verifier = of(&key);
    for (claim, offset, expected) in [
        ("exp", 1, "ok"),
        ("exp", 0, "ok"),
        ("exp", -59, "ok"),
        ("exp", -60, "expired"),
        ("exp", -61, "expired"),
        ("nbf", -1, "ok"),
        ("nbf", 60, "ok"),
        ("nbf", 61, "not_yet_valid"),
        ("iat", -1_000_000, "ok"),
        ("iat", 60, "ok"),
        ("iat", 61, "not_yet_valid"),
    ] {
        let token = key.token(&claims_with(claim, json!(NOW_S + offset)));
        assert_eq!(
            class(&verifier, token, after(0)),
            expected,
            "{claim} {offset}"
        );
    }
    let token = key.token(&claims_with("exp", json!(NOW_S as f64 - 59.5)));
    assert_eq!(class(&verifier, token, after(0)), "expired");
    for claim in ["nbf", "iat"] {
        let token = key.token(&claims_with(claim, json!("now")));
        assert_eq!(class(&verifier, token, after(0)), "claims", "{claim}");
    }
}

#[test]
fn issuer_and_audience_are_compared_exactly() {
    let key = EcKey::new("1");
    let verifier = of(&key);
    for (audience, expected) in [
        (json!(AUD), "ok"),
        (json!([AUD]), "ok"),
        (json!(["other", AUD]), "ok"),
        (json!("streams "), "claims"),
        (json!("Streams"), "claims"),
        (json!("stream"), "claims"),
        (json!(["other"]), "claims"),
        (json!([]), "claims"),
        (json!({"streams": 1}), "claims"),
        (Value::Null, "claims"),
    ] {
        let token = key.token(&claims_with("aud", audience.clone()));
        assert_eq!(class(&verifier, token, after(0)), expected, "{audience}");
    }
    let token = key.token(&claims_without("aud"));
    assert_eq!(class(&verifier, token, after(0)), "claims");
    for iss in [
        "https://login.example",
        "HTTPS://login.example/",
        "https://login.example/ ",
    ] {
        let token = key.token(&claims_with("iss", json!(iss)));
        assert_eq!(class(&verifier, token, after(0)), "unknown_issuer", "{iss}");
    }
    for iss in [json!([ISS]), Value::Null, json!(1)] {
        let token = key.token(&claims_with("iss", iss.clone()));
        assert_eq!(class(&verifier, token, after(0)), "malformed", "{iss}");
    }
}

#[test]
fn the_user_must_be_within_the_bounds_of_user_ids() {
    let key = EcKey::new("1");
    let verifier = of(&key);
    for user in [
        json!("a"),
        json!("u".repeat(256)),
        json!("anna/🎬"),
        json!(7),
        json!(-7),
    ] {
        let viewer = accepted(
            &verifier,
            &key.token(&claims_with("sub", user.clone())),
            after(0),
        );
        let text = user
            .as_str()
            .map_or_else(|| user.to_string(), str::to_owned);
        assert_eq!(viewer.user.user(), text);
    }
    for user in [
        json!(""),
        json!("u".repeat(257)),
        json!("a\u{0}b"),
        json!("a\nb"),
        json!(1.5),
        Value::Null,
    ] {
        let token = key.token(&claims_with("sub", user.clone()));
        assert_eq!(class(&verifier, token, after(0)), "claims", "{user}");
    }
    let token = key.token(&claims_with("sub", json!(["a"])));
    assert_eq!(class(&verifier, token, after(0)), "malformed");
    let token = key.token(&claims_without("sub"));
    assert_eq!(class(&verifier, token, after(0)), "claims");
}

#[test]
fn plan_and_limit_are_what_their_claims_say() {
    let key = EcKey::new("1");
    let verifier = of(&key);
    let said = |plan: Option<Value>, limit: Option<Value>| {
        let mut claims = claims();
        for (name, value) in [("plan", plan), ("limit", limit)] {
            if let Some(value) = value {
                claims[name] = value;
            }
        }
        let viewer = accepted(&verifier, &key.token(&claims), after(0));
        viewer.entitlement.clone().map(|it| it.map(|it| *it))
    };
    let set = |plan, limit| {
        Ok(Some(SetUser {
            plan,
            limit,
            profile: Edit::Keep,
        }))
    };
    let gold = || Edit::Set(Name::new("gold").unwrap());
    assert_eq!(said(None, None), Ok(None));
    assert_eq!(said(Some(json!("gold")), None), set(gold(), Edit::Keep));
    assert_eq!(said(None, Some(json!(0))), set(Edit::Keep, Edit::Set(0)));
    assert_eq!(
        said(Some(Value::Null), Some(json!(4.0))),
        set(Edit::Clear, Edit::Set(4))
    );
    assert_eq!(
        said(Some(json!("gold")), Some(Value::Null)),
        set(gold(), Edit::Clear)
    );
    for plan in [
        json!(""),
        json!("p".repeat(257)),
        json!(1),
        json!(["gold"]),
        json!("a\nb"),
    ] {
        assert_eq!(said(Some(plan), None), Err(BadEntitlement::Plan));
    }
    for limit in [json!(-1), json!(1_001), json!(1.5), json!("3"), json!([3])] {
        assert_eq!(said(None, Some(limit)), Err(BadEntitlement::Limit));
    }
}

#[test]
fn the_id_of_a_token_is_kept_if_it_is_short() {
    let key = EcKey::new("1");
    let verifier = of(&key);
    for (id, kept) in [
        (json!("t-1"), Some("t-1")),
        (json!("t".repeat(257)), None),
        (json!(5), None),
    ] {
        let viewer = accepted(&verifier, &key.token(&claims_with("jti", id)), after(0));
        assert_eq!(viewer.token_id.as_deref(), kept);
    }
}
