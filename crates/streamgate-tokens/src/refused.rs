//! Why a token is not accepted.

use std::sync::Arc;

use tokio::sync::watch;

/// Why a token is not accepted. Callers hear whether it has expired and nothing else; the class is
/// for logs and metrics.
#[derive(Debug, Clone)]
pub enum Refused {
    /// It is longer than [`crate::TOKEN_MAX_BYTES`].
    TooLong,
    /// It is no JWT.
    Malformed,
    /// No issuer of this name is known.
    UnknownIssuer,
    /// Its signature is not that of a key of its issuer, by an algorithm that the issuer may use.
    Signature,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYet,
    /// A claim is missing or wrong: audience, expiry, user, scope.
    Claims,
    /// The keys of its issuer cannot be had now.
    KeysUnavailable {
        /// The name of the issuer.
        issuer: Arc<str>,
        /// Whether the keys are being fetched right now: then it is worth waiting for them.
        fetching: Option<Fetching>,
    },
}

impl Refused {
    /// Every class, as metrics have it.
    pub const CLASSES: [&'static str; 8] = [
        "too_long",
        "malformed",
        "unknown_issuer",
        "signature",
        "expired",
        "not_yet_valid",
        "claims",
        "keys_unavailable",
    ];

    /// The place of its class in [`Self::CLASSES`].
    #[must_use]
    pub const fn class(&self) -> usize {
        match self {
            Self::TooLong => 0,
            Self::Malformed => 1,
            Self::UnknownIssuer => 2,
            Self::Signature => 3,
            Self::Expired => 4,
            Self::NotYet => 5,
            Self::Claims => 6,
            Self::KeysUnavailable { .. } => 7,
        }
    }

    /// Its class as a word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        Self::CLASSES[self.class()]
    }
}

/// A fetch of keys that is under way.
#[derive(Debug, Clone)]
pub struct Fetching(pub(crate) watch::Receiver<u64>);

impl Fetching {
    /// Waits for the end of the fetch, whatever came of it.
    pub async fn ended(mut self) {
        // An error means that the keys are not used any more.
        let _ = self.0.changed().await;
    }
}
