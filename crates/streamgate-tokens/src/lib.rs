//! Viewer tokens: JSON web tokens (JWT, RFC 7519) that name one user.
//!
//! [`Verifier`] tells whether a token is valid and which user it names. Tokens are minted by
//! [`SigningKey`], or come from an identity provider: an [`Issuer`] with a set of public keys (JWKS,
//! RFC 7517) at a URL or in a file, or with a shared secret.
//!
//! Which algorithms an issuer may use is a setting; a token says which of them it used, and nothing
//! else about how it is verified. Headers that name a key or where to find one (`jwk`, `jku`,
//! `x5c`, `x5u`) are ignored, and `kid` is compared with the names of the keys that are known.
//!
//! What is *not* here: HTTP. How a request presents a token is the server's matter; an
//! implementation of [`FetchKeys`] fetches key sets.

mod algorithm;
mod cache;
mod claims;
mod issuer;
mod keys;
mod minting;
mod refused;
mod remote;
mod schedule;
mod verifier;
mod viewer;

pub use algorithm::Algorithm;
pub use issuer::{Issuer, Location, Source};
pub use keys::{KeySet, KeySetError, Secret, SecretError};
pub use minting::{Minted, SigningKey, SigningKeyError, VerifyingKey, key_set_of};
pub use refused::{Fetching, Refused};
pub use remote::{FetchKeys, Fetched, RemoteKeys, RemoteStatus};
pub use verifier::{Now, OwnTokens, Settings, SettingsError, Verifier};
pub use viewer::{BadEntitlement, Viewer};

/// Longest token that is looked at, in bytes.
pub const TOKEN_MAX_BYTES: usize = 8 * 1024;

/// Largest key set that is read, in bytes.
pub const KEY_SET_MAX_BYTES: usize = 64 * 1024;

/// Most keys of a set.
pub const KEYS_MAX: usize = 64;

/// How far the clocks of issuer and server may be apart, in seconds.
pub const SKEW_S: i64 = 60;
