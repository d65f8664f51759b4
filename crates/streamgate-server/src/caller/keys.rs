//! API keys: what a key may do, and how a presented one is recognised.
//!
//! Configuration holds only the SHA-256 of a key; the text of an accepted key is kept in memory, as
//! in the buffers of connections. Keys are 256 random bits, so a fast hash without salt is enough:
//! there is nothing to guess. What is *not* here: how a request presents its key
//! ([`crate::caller::access`]).

use std::cell::Cell;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use streamgate_core::TenantId;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// What every key begins with, so that people and secret scanners recognise one.
pub(crate) const KEY_PREFIX: &str = "sgk_";

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
    pub name: Arc<str>,
    /// The SHA-256 of its text.
    pub sha256: [u8; 32],
    /// What it may do.
    pub scope: Scope,
    /// The tenant whose users it gives access to.
    pub tenant: TenantId,
}

impl KeyRef {
    /// Whether it is the key of a service or of an operator, who act for all users.
    pub(crate) fn is_above_player(self) -> bool {
        self.scope > Scope::Player
    }
}

impl ApiKey {
    /// Identifies the key in the rate limiter.
    pub(crate) fn rate_id(&self) -> u64 {
        words::<4>(&self.sha256)[0]
    }

    /// The key, to be found again.
    pub(crate) fn reference(&self) -> KeyRef {
        KeyRef {
            id: self.rate_id(),
            scope: self.scope,
        }
    }
}

/// Which key made a call, without a reference that would have to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRef {
    id: u64,
    scope: Scope,
}

impl KeyRef {
    /// Whether it is this key.
    pub(crate) fn is_of(self, key: &ApiKey) -> bool {
        key.rate_id() == self.id
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

    /// What operators call the key and what it may do; without its name, if it was taken away
    /// since.
    pub(crate) fn named(&self, key: KeyRef) -> (Arc<str>, Scope) {
        let entry = self.entries.iter().find(|entry| entry.rate_id() == key.id);
        let name = entry.map_or_else(|| Arc::from("removed"), |entry| Arc::clone(&entry.name));
        (name, key.scope)
    }

    /// Finds a presented key by its hash: its index, and the key.
    ///
    /// It compares with every entry in constant time, so that the time tells neither how much of a
    /// hash was right nor which key it was.
    #[must_use]
    pub fn find(&self, presented: &[u8]) -> Option<(usize, &ApiKey)> {
        let text = Text::of(presented);
        let last = LAST_FOUND.get().filter(|last| last.is_of(text));
        let hash = match last {
            Some(last) => last.hash,
            None => words(&Sha256::digest(presented)),
        };
        let mut found = u64::MAX;
        for (index, entry) in (0_u64..).zip(&self.entries) {
            let same = words::<4>(&entry.sha256).ct_eq(&hash);
            found.conditional_assign(&index, same);
        }
        let index = usize::try_from(found).ok()?;
        let entry = self.entries.get(index)?;
        if let (None, Some(text)) = (last, text) {
            LAST_FOUND.set(Some(Hashed { text, hash }));
        }
        Some((index, entry))
    }
}

thread_local! {
    /// Cache of one hash: nearly all calls of a thread bring the same key, and its SHA-256 costs as
    /// much as the decision where the processor has no instructions for it. Only a key that was
    /// found gets in, and the result is compared with the entries as ever, so that nothing has to
    /// be invalidated.
    static LAST_FOUND: Cell<Option<Hashed>> = const { Cell::new(None) };
}

/// A presented key and its hash.
#[derive(Clone, Copy)]
struct Hashed {
    text: Text,
    hash: [u64; 4],
}

impl Hashed {
    /// Whether this is the hash of `text`. Compares in constant time.
    fn is_of(&self, text: Option<Text>) -> bool {
        text.is_some_and(|text| {
            text.length == self.text.length && bool::from(text.words.ct_eq(&self.text.words))
        })
    }
}

/// The text of a presented key, padded with zeros.
#[derive(Clone, Copy)]
struct Text {
    words: [u64; 8],
    length: usize,
}

impl Text {
    /// `None` if it is longer than 64 bytes; generated keys have 47.
    fn of(presented: &[u8]) -> Option<Self> {
        let mut padded = [0; 64];
        let length = presented.len();
        padded.get_mut(..length)?.copy_from_slice(presented);
        Some(Self {
            words: words(&padded),
            length,
        })
    }
}

/// Bytes as few large numbers, which are compared much faster than many small ones. There are eight
/// times `N` bytes.
fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let (words, _) = bytes.as_chunks::<8>();
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
    hex::encode(Sha256::digest(text))
}

/// The inverse of [`hash_key`]; `None` if the text is not 64 hexadecimal digits.
#[must_use]
pub fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, text: &str) -> ApiKey {
        ApiKey {
            name: name.into(),
            sha256: parse_hash(&hash_key(text)).unwrap(),
            scope: Scope::Player,
            tenant: TenantId::default_tenant(),
        }
    }

    #[test]
    fn a_key_is_found_by_its_text_and_by_nothing_else() {
        let keys = Keys::new(vec![key("a", "one"), key("b", "two"), key("c", "three")]);
        assert_eq!(keys.find(b"one").unwrap().1.name[..], *"a");
        assert_eq!(keys.find(b"three").unwrap().0, 2);
        for wrong in [&b""[..], b"four", b"on", b"one ", b"\xff"] {
            assert_eq!(keys.find(wrong), None);
        }
        assert_eq!(Keys::default().find(b"one"), None);
    }

    #[test]
    fn the_cached_hash_of_a_key_admits_no_other_text_and_no_revoked_key() {
        let long = "k".repeat(65);
        let keys = Keys::new(vec![key("a", "one"), key("b", "two"), key("c", &long)]);
        for _ in 0..2 {
            assert_eq!(keys.find(b"one").unwrap().0, 0);
            assert_eq!(keys.find(b"one").unwrap().0, 0);
            for wrong in [&b"one\0"[..], b"on", b"onf", b"", &[0; 3], &[b'k'; 64]] {
                assert_eq!(keys.find(wrong), None);
            }
            assert_eq!(keys.find(b"two").unwrap().0, 1);
            assert_eq!(keys.find(long.as_bytes()).unwrap().0, 2);
        }
        assert!(keys.find(b"one").is_some());
        assert_eq!(Keys::new(vec![key("b", "two")]).find(b"one"), None);
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
