//! API keys: what a key may do, and how a presented one is recognised.
//!
//! Only the SHA-256 of a key is kept. Keys are 256 random bits, so a fast hash without salt is
//! enough: there is nothing to guess. What is *not* here: how a request presents its key
//! ([`crate::caller::access`]).

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use streamgate_core::TenantId;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// What every key begins with, so that people and secret scanners recognise one.
const KEY_PREFIX: &str = "sgk_";

/// What a key may do. Each scope includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// What players do: start, heartbeat, stop, and who of one user is watching.
    Player,
    /// Also what a platform's own services do: plans, limits and profiles of users.
    Service,
    /// Everything.
    Admin,
}

impl Scope {
    /// Every scope, the least first.
    pub const ALL: [Self; 3] = [Self::Player, Self::Service, Self::Admin];

    /// The word for it in configuration, answers and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Player => "player",
            Self::Service => "service",
            Self::Admin => "admin",
        }
    }
}

/// A key that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What operators call it; appears in logs.
    pub name: String,
    /// The SHA-256 of its text.
    pub sha256: [u8; 32],
    /// What it may do.
    pub scope: Scope,
    /// The tenant whose users it gives access to.
    pub tenant: TenantId,
}

impl ApiKey {
    /// Identifies the key in the rate limiter.
    pub(crate) fn rate_id(&self) -> u64 {
        words(&self.sha256)[0]
    }
}

/// All accepted keys. Without any, every caller may do everything, as the default tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    entries: Vec<ApiKey>,
}

impl Keys {
    /// Accepts these keys.
    #[must_use]
    pub fn new(entries: Vec<ApiKey>) -> Self {
        Self { entries }
    }

    /// Whether no key is asked for.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys.
    #[must_use]
    pub fn entries(&self) -> &[ApiKey] {
        &self.entries
    }

    /// Finds a presented key by its hash: its index, and the key.
    ///
    /// It compares with every entry in constant time, so that the time tells neither how much of a
    /// hash was right nor which key it was.
    #[must_use]
    pub fn find(&self, presented: &[u8]) -> Option<(usize, &ApiKey)> {
        let hash = words(&Sha256::digest(presented).into());
        let mut found = u64::MAX;
        for (index, entry) in (0_u64..).zip(&self.entries) {
            let same = words(&entry.sha256).ct_eq(&hash);
            found.conditional_assign(&index, same);
        }
        let index = usize::try_from(found).ok()?;
        Some((index, self.entries.get(index)?))
    }
}

/// The keys in use, which can be replaced while requests are served.
pub(crate) struct CurrentKeys(ArcSwap<Keys>);

impl CurrentKeys {
    pub(crate) fn new(keys: Keys) -> Self {
        Self(ArcSwap::from_pointee(keys))
    }

    /// The keys now. Every request needs them, so this takes no lock.
    pub(crate) fn load(&self) -> KeysNow {
        KeysNow(self.0.load())
    }

    /// Replaces the accepted keys.
    pub(crate) fn replace(&self, keys: Keys) {
        self.0.store(Arc::new(keys));
    }
}

impl fmt::Debug for CurrentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.load().fmt(f)
    }
}

/// The keys when they were loaded: one request is authorized by one set.
pub(crate) struct KeysNow(Guard<Arc<Keys>>);

impl Deref for KeysNow {
    type Target = Keys;

    fn deref(&self) -> &Keys {
        &self.0
    }
}

/// A hash as few large numbers, which are compared much faster than many small ones.
fn words(hash: &[u8; 32]) -> [u64; 4] {
    let (words, _) = hash.as_chunks::<8>();
    std::array::from_fn(|index| u64::from_ne_bytes(words[index]))
}

/// Makes a new key: `sgk_` and 32 random bytes as base64url, 47 characters in all.
///
/// # Errors
/// The operating system has no random bytes to give.
pub fn generate_key() -> std::io::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The SHA-256 of a key as configuration holds it: 64 hexadecimal digits.
#[must_use]
pub fn hash_key(text: &str) -> String {
    use std::fmt::Write as _;

    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The inverse of [`hash_key`]; `None` if the text is not 64 hexadecimal digits.
#[must_use]
pub fn parse_hash(hex: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = hex.as_bytes().try_into().ok()?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, text: &str) -> ApiKey {
        ApiKey {
            name: name.to_owned(),
            sha256: parse_hash(&hash_key(text)).unwrap(),
            scope: Scope::Player,
            tenant: TenantId::default_tenant(),
        }
    }

    #[test]
    fn a_key_is_found_by_its_text_and_by_nothing_else() {
        let keys = Keys::new(vec![key("a", "one"), key("b", "two"), key("c", "three")]);
        assert_eq!(keys.find(b"one").unwrap().1.name, "a");
        assert_eq!(keys.find(b"three").unwrap().0, 2);
        for wrong in [&b""[..], b"four", b"on", b"one ", b"\xff"] {
            assert_eq!(keys.find(wrong), None);
        }
        assert_eq!(Keys::default().find(b"one"), None);
    }

    #[test]
    fn generated_keys_are_long_and_differ() {
        let (a, b) = (generate_key().unwrap(), generate_key().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), 47);
        assert!(a.starts_with("sgk_"));
    }

    #[test]
    fn hashes_are_the_usual_sha256_in_hexadecimal() {
        let hex = hash_key("abc");
        assert_eq!(
            hex,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(hash_key("abc"), hex);
        assert_eq!(parse_hash(&hex.to_uppercase()), parse_hash(&hex));
        assert_eq!(parse_hash("abc"), None);
        assert_eq!(parse_hash(&"g".repeat(64)), None);
    }
}
