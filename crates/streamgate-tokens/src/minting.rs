//! Own tokens: the key that signs them, and its public half as a key set.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm as Jwa, DecodingKey, EncodingKey, Header, encode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use serde::Serialize;
use serde_json::json;
use streamgate_core::UserKey;

use crate::claims::VIEWER;
use crate::keys::KeySet;

/// Bytes of an uncompressed point of P-256: a mark, and two coordinates.
const POINT_BYTES: usize = 65;
const COORDINATE_BYTES: usize = 32;

/// What stands before the point in the usual encoding of a P-256 public key (RFC 5480).
const PUBLIC_KEY_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Characters of a line of PEM.
const PEM_LINE: usize = 64;

/// A private key on P-256, which signs tokens (ES256).
pub struct SigningKey {
    encoding: EncodingKey,
    public: VerifyingKey,
}

/// The public half of a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// Its name: the thumbprint of RFC 7638.
    id: String,
    x: String,
    y: String,
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// It has no key in PEM.
    #[error(
        "has no private key in PEM; make one with: openssl ecparam -genkey -name prime256v1 -noout"
    )]
    NotPem,
    /// It has no public or private key in PEM.
    #[error("has neither a private nor a public key in PEM")]
    NotPemOfEither,
    /// Its key is of another kind.
    #[error("has a key of another kind than P-256 (ES256), or an encrypted one")]
    NotP256,
    /// The system has no random bytes to give.
    #[error("no random bytes for a key")]
    NoRandom,
}

/// A token that was minted.
pub struct Minted {
    /// The token itself.
    pub token: String,
    /// Its id.
    pub token_id: String,
    /// The second since 1970 at which it expires.
    pub expires_at_s: i64,
}

/// The claims of an own token.
#[derive(Serialize)]
struct OwnClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    tenant: &'a str,
    scope: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a str,
}

impl SigningKey {
    /// Makes a new key; returns it as PEM (PKCS #8).
    ///
    /// # Errors
    /// [`SigningKeyError::NoRandom`].
    pub fn generate_pem() -> Result<String, SigningKeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = pair.and_then(|pair| pair.to_pkcs8v1());
        let document = document.map_err(|_| SigningKeyError::NoRandom)?;
        let text = STANDARD.encode(document.as_ref());
        let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, behind) = rest.split_at(rest.len().min(PEM_LINE));
            pem.push_str(line);
            pem.push('\n');
            rest = behind;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// Reads a key from PEM, PKCS #8 or SEC 1.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, SigningKeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| SigningKeyError::NotPem)?;
        Self::from_der(der.secret_der())
    }

    fn from_der(der: &[u8]) -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        let pair = pair.map_err(|_| SigningKeyError::NotP256)?;
        let document = pair.to_pkcs8v1().map_err(|_| SigningKeyError::NotP256)?;
        let public = VerifyingKey::of_point(pair.public_key().as_ref());
        Ok(Self {
            encoding: EncodingKey::from_ec_der(document.as_ref()),
            public: public.ok_or(SigningKeyError::NotP256)?,
        })
    }

    /// Its public half.
    #[must_use]
    pub const fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Mints a token for this user: valid from `now_s` on, for `ttl_s` seconds.
    ///
    /// # Errors
    /// [`SigningKeyError`]: the key does not sign, or there are no random bytes.
    pub fn mint(
        &self,
        (issuer, audience): (&str, &str),
        user: &UserKey,
        now_s: i64,
        ttl_s: u32,
    ) -> Result<Minted, SigningKeyError> {
        let mut id = [0_u8; 16];
        getrandom::fill(&mut id).map_err(|_| SigningKeyError::NoRandom)?;
        let token_id = URL_SAFE_NO_PAD.encode(id);
        let expires_at_s = now_s.saturating_add(ttl_s.into());
        let claims = OwnClaims {
            iss: issuer,
            aud: audience,
            sub: user.user(),
            tenant: user.tenant(),
            scope: VIEWER,
            iat: now_s,
            exp: expires_at_s,
            jti: &token_id,
        };
        let header = Header {
            kid: Some(self.public.id.clone()),
            ..Header::new(Jwa::ES256)
        };
        let token = encode(&header, &claims, &self.encoding);
        Ok(Minted {
            token: token.map_err(|_| SigningKeyError::NotP256)?,
            token_id,
            expires_at_s,
        })
    }
}

/// Without the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public.id).finish()
    }
}

/// Without the token.
impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Minted").field(&self.token_id).finish()
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.public == other.public
    }
}

impl VerifyingKey {
    /// Reads the public half of a key from PEM, which holds that or the whole key.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, SigningKeyError> {
        if let Ok(private) = PrivateKeyDer::from_pem_slice(pem) {
            return Ok(SigningKey::from_der(private.secret_der())?.public);
        }
        let public = SubjectPublicKeyInfoDer::from_pem_slice(pem);
        let public = public.map_err(|_| SigningKeyError::NotPemOfEither)?;
        let point = public.as_ref().strip_prefix(&PUBLIC_KEY_HEAD);
        point
            .and_then(Self::of_point)
            .ok_or(SigningKeyError::NotP256)
    }

    fn of_point(point: &[u8]) -> Option<Self> {
        let (mark, coordinates) = point.split_first()?;
        if point.len() != POINT_BYTES || *mark != 4 {
            return None;
        }
        let (x, y) = coordinates.split_at(COORDINATE_BYTES);
        let [x, y] = [x, y].map(|it| URL_SAFE_NO_PAD.encode(it));
        // The members in this order, without white space: RFC 7638.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()));
        Some(Self { id, x, y })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn decoding(&self) -> Option<DecodingKey> {
        DecodingKey::from_ec_components(&self.x, &self.y).ok()
    }
}

/// These keys as a key set (RFC 7517), in JSON.
#[must_use]
pub fn key_set_of<'a>(keys: impl Iterator<Item = &'a VerifyingKey>) -> String {
    let keys: Vec<_> = keys
        .map(|key| {
            json!({
                "kty": "EC",
                "crv": "P-256",
                "x": key.x,
                "y": key.y,
                "kid": key.id,
                "alg": "ES256",
                "use": "sig",
            })
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

/// The set that verifies what these keys sign.
pub(crate) fn verifying_set<'a>(keys: impl Iterator<Item = &'a VerifyingKey>) -> KeySet {
    KeySet::of_p256(keys.filter_map(|key| Some((key.id.clone(), key.decoding()?))))
}
