//! The keys of an issuer: a key set (JWKS), or one secret.
//!
//! What is *not* here: where a set comes from, and when it is fetched again ([`crate::remote`]).

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde_json::Value;

use crate::algorithm::{Algorithm, Kind};
use crate::{KEY_SET_MAX_BYTES, KEYS_MAX};

/// Fewest bytes of a secret: as many as the smallest hash has.
const SECRET_MIN_BYTES: usize = 32;

/// Most keys that a token without `kid` is tried with. Each costs a verification.
const TRIED_MAX: usize = 4;

/// Public keys of an issuer.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// A key, and what it may verify.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// Its name. Compared, and used for nothing else.
    id: Option<String>,
    kind: Kind,
    /// The one algorithm that it is for, if it says so.
    only: Option<Algorithm>,
    pub(crate) decoding: DecodingKey,
}

/// Why a text is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is longer than [`KEY_SET_MAX_BYTES`].
    #[error("is larger than {} KiB", KEY_SET_MAX_BYTES / 1024)]
    TooLarge,
    /// It is no JSON object with a list `keys`.
    #[error("is no JSON web key set: {0}")]
    NotASet(String),
    /// It has more than [`KEYS_MAX`] keys.
    #[error("has more than {KEYS_MAX} keys")]
    TooMany,
    /// None of its keys can verify a token.
    #[error("has no public key that verifies signatures")]
    NoUsableKey,
}

impl KeySet {
    /// Reads a key set. Keys that this server cannot use, or that are for something else than
    /// signatures, are left out, as RFC 7517 asks; so is every secret, which nobody may publish.
    ///
    /// # Errors
    /// [`KeySetError`].
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > KEY_SET_MAX_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let set: Value = serde_json::from_slice(json)
            .map_err(|error| KeySetError::NotASet(error.to_string()))?;
        let keys = set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or_else(|| KeySetError::NotASet("it has no list `keys`".to_owned()))?;
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<Key> = keys.iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey);
        }
        Ok(Self { keys })
    }

    /// A set of one secret, which has no name.
    pub(crate) fn of_secret(secret: &Secret) -> Self {
        let key = Key {
            id: None,
            kind: Kind::Hmac,
            only: None,
            decoding: secret.0.clone(),
        };
        Self { keys: vec![key] }
    }

    /// A set of P-256 keys by their names.
    pub(crate) fn of_p256(keys: impl Iterator<Item = (String, DecodingKey)>) -> Self {
        let key = |(id, decoding)| Key {
            id: Some(id),
            kind: Kind::P256,
            only: Some(Algorithm::Es256),
            decoding,
        };
        Self {
            keys: keys.map(key).collect(),
        }
    }

    /// The keys that a token with this `kid` and algorithm may be signed by. Without a `kid`: the
    /// keys that fit the algorithm, if they are few.
    pub(crate) fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<&Key> {
        let fitting = self.keys.iter().filter(|key| key.fits(algorithm));
        let found: Vec<&Key> = match kid {
            Some(kid) if algorithm.kind() != Kind::Hmac => fitting
                .filter(|key| key.id.as_deref() == Some(kid))
                .collect(),
            _ => fitting.collect(),
        };
        if found.len() > TRIED_MAX {
            return Vec::new();
        }
        found
    }

    /// Whether a key has this name.
    pub(crate) fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(kid))
    }

    /// Whether both hold the same keys.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Key, &Key)| one.is_same(other);
        self.keys.len() == other.keys.len() && self.keys.iter().zip(&other.keys).all(is_same)
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let kind = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Kind::Rsa,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Kind::P256
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
                Kind::P384
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                Kind::Ed25519
            }
            _ => return None,
        };
        let common = &jwk.common;
        let is_for_signatures = !matches!(&common.public_key_use, Some(of) if *of != PublicKeyUse::Signature)
            && common
                .key_operations
                .as_ref()
                .is_none_or(|list| list.contains(&KeyOperations::Verify));
        if !is_for_signatures {
            return None;
        }
        let only = match common.key_algorithm {
            None => None,
            Some(named) => Some(Algorithm::of_name(&named.to_string())?),
        };
        if only.is_some_and(|only| only.kind() != kind) {
            return None;
        }
        Some(Self {
            id: common.key_id.clone(),
            kind,
            only,
            decoding: DecodingKey::from_jwk(&jwk).ok()?,
        })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind == algorithm.kind() && self.only.is_none_or(|only| only == algorithm)
    }

    fn is_same(&self, other: &Self) -> bool {
        use jsonwebtoken::DecodingKeyKind::{RsaModulusExponent, SecretOrDer};
        let is_same_key = match (self.decoding.kind(), other.decoding.kind()) {
            (SecretOrDer(one), SecretOrDer(other)) => one == other,
            (RsaModulusExponent { n, e }, RsaModulusExponent { n: n2, e: e2 }) => {
                (n, e) == (n2, e2)
            }
            _ => false,
        };
        is_same_key && self.id == other.id && (self.kind, self.only) == (other.kind, other.only)
    }
}

/// A secret that issuer and server share.
#[derive(Debug, Clone)]
pub struct Secret(DecodingKey);

/// Why bytes are no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has fewer than {SECRET_MIN_BYTES} bytes, which can be guessed")]
pub struct SecretError;

impl Secret {
    /// The bytes of a file. A line break at the end is not a part of it: editors add one.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn new(bytes: &[u8]) -> Result<Self, SecretError> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.len() < SECRET_MIN_BYTES {
            return Err(SecretError);
        }
        DecodingKey::from_secret(bytes)
            .map(Self)
            .map_err(|_| SecretError)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        KeySet::of_secret(self).is_same(&KeySet::of_secret(other))
    }
}

impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}
