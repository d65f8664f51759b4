//! An identity provider whose tokens can be right or wrong in every way.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use serde_json::{Value, json};
use streamgate_core::TenantId;
use streamgate_tokens::{
    Algorithm, FetchKeys, Fetched, Issuer, KeySet, Location, Now, Refused, Settings, Source,
    Verifier, Viewer,
};

/// When tests begin, in seconds since 1970.
pub(crate) const NOW_S: i64 = 1_795_242_600;

pub(crate) const ISS: &str = "https://login.example/";
pub(crate) const AUD: &str = "streams";

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// This many seconds after the beginning, on all clocks.
pub(crate) fn after(seconds: i64) -> Now {
    Now {
        wall_s: NOW_S + seconds,
        passed: Duration::from_secs(seconds.try_into().unwrap_or(0)),
    }
}

/// A key on P-256.
pub(crate) struct EcKey {
    pub(crate) kid: String,
    pair: EcdsaKeyPair,
}

impl EcKey {
    pub(crate) fn new(kid: &str) -> Self {
        Self {
            kid: kid.to_owned(),
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        }
    }

    /// Its public half as an uncompressed point.
    pub(crate) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(crate) fn jwk(&self) -> Value {
        let (x, y) = self.point()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "x": base64(x), "y": base64(y)})
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    }

    /// A token with the header of this key, and these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.kid});
        forged(&header, claims, |message| self.sign(message))
    }
}

/// A key of RSA.
pub(crate) struct RsaKey(RsaKeyPair);

impl RsaKey {
    pub(crate) fn new() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.0.public_key());
        json!({"kty": "RSA", "kid": kid, "n": base64(public.n), "e": base64(public.e)})
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        let random = SystemRandom::new();
        self.0
            .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
            .unwrap();
        signature
    }
}

/// The HMAC of a message by any bytes.
pub(crate) fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// A token of this header and these claims, whoever signs it.
pub(crate) fn forged(
    header: &Value,
    claims: &Value,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let message = format!(
        "{}.{}",
        base64(header.to_string()),
        base64(claims.to_string())
    );
    let signature = base64(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Claims that are right for an hour.
pub(crate) fn claims() -> Value {
    json!({"iss": ISS, "aud": AUD, "sub": "anna", "exp": NOW_S + 3_600})
}

/// [`claims`] with one that is another.
pub(crate) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// [`claims`] without one.
pub(crate) fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

pub(crate) fn set_of(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

pub(crate) fn issuer(source: Source, algorithms: &[Algorithm]) -> Issuer {
    Issuer {
        name: "login".into(),
        issuer: ISS.to_owned(),
        audience: AUD.to_owned(),
        source,
        algorithms: algorithms.to_vec(),
        tenant: TenantId::default_tenant(),
        user_claim: "sub".to_owned(),
        plan_claim: Some("plan".to_owned()),
        limit_claim: Some("limit".to_owned()),
    }
}

/// Accepts tokens of one issuer.
pub(crate) fn verifier(issuer: Issuer) -> Verifier {
    let settings = Settings {
        issuers: vec![issuer],
        ..Settings::default()
    };
    Verifier::new(settings, &(Arc::new(Site::default()) as Arc<_>), None).unwrap()
}

/// Accepts what these public keys sign with ES256 or RS256.
pub(crate) fn verifier_of(keys: &[Value]) -> Verifier {
    let set = KeySet::parse(&set_of(keys)).unwrap();
    verifier(issuer(Source::Set(set), &Algorithm::OF_KEY_SETS))
}

/// The class of a refusal; `ok` if there is none.
pub(crate) fn class<T: AsRef<[u8]>>(verifier: &Verifier, token: T, now: Now) -> &'static str {
    match verifier.verify(token.as_ref(), now) {
        Ok(_) => "ok",
        Err(refused) => refused.as_str(),
    }
}

/// The viewer of a token that must be accepted.
pub(crate) fn accepted(verifier: &Verifier, token: &str, now: Now) -> Arc<Viewer> {
    verifier
        .verify(token.as_bytes(), now)
        .unwrap_or_else(|refused: Refused| panic!("refused: {}", refused.as_str()))
}

/// A site that publishes a key set, or is down.
#[derive(Debug, Default)]
pub(crate) struct Site {
    /// What it answers, and how often it was asked.
    pub(crate) state: Mutex<(Option<Fetched>, u32)>,
}

impl Site {
    pub(crate) fn publish(&self, keys: &[Value]) {
        self.answer(Some(set_of(keys)), None);
    }

    pub(crate) fn answer(&self, body: Option<Vec<u8>>, max_age: Option<Duration>) {
        self.state.lock().0 = body.map(|body| Fetched { body, max_age });
    }

    pub(crate) fn asked(&self) -> u32 {
        self.state.lock().1
    }
}

impl FetchKeys for Site {
    fn fetch(&self, at: &Location) -> Result<Fetched, String> {
        if *at != location() {
            return Err("nobody asks for another URL".to_owned());
        }
        let mut state = self.state.lock();
        state.1 += 1;
        state.0.clone().ok_or_else(|| "the site is down".to_owned())
    }
}

pub(crate) fn location() -> Location {
    Location {
        url: "https://login.example/keys".to_owned(),
        authorities: None,
    }
}

/// Accepts tokens of an issuer whose keys are at a site. Nothing is fetched by itself.
pub(crate) fn remote_verifier(site: &Arc<Site>) -> Verifier {
    let settings = Settings {
        issuers: vec![issuer(Source::Url(location()), &[Algorithm::Es256])],
        ..Settings::default()
    };
    Verifier::new(settings, &(Arc::clone(site) as Arc<_>), None).unwrap()
}

/// Fetches what is due now, as the thread would.
pub(crate) fn fetch(verifier: &Verifier, now: Now) {
    for keys in verifier.remote_keys() {
        keys.fetch_if_due(now.passed);
    }
}
