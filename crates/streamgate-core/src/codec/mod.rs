//! The stored byte form of ledgers and events, versioned.
//!
//! A record is one ledger; a delta is what one decision did to it. Both begin with a version byte.
//! Readers take every version from [`OLDEST`] to [`NEWEST`]. A writer uses the lowest version that
//! can hold the value, so that a node of the release before still reads all values that it could
//! have written itself. The golden files under `tests/golden/` hold each version's bytes and never
//! change. `docs/adr/0014-versions-of-records.md` says how a version is added.
//!
//! Checksums are *not* here: they belong to the store (the log has one for each record).

mod delta;
mod notice;
mod parts;
mod record;
mod refusal;
mod replay;
mod wire;

pub use delta::{decode_delta, encode_delta};
pub use notice::{decode_notice, encode_notice};
pub use record::{decode_ledger, encode_ledger};
pub use refusal::{decode_refusal, encode_refusal};
pub use replay::{Graced, apply_delta, grant_grace};

/// The oldest version that is read. Nothing was ever written with a lower one.
pub const OLDEST: u8 = 1;

/// The newest version that is read, and so the newest that is written. Version 2 adds `region`.
pub const NEWEST: u8 = 2;

/// The highest version that there will ever be. Bytes that begin with more, as a text does, are
/// damage and no newer version.
const HIGHEST: u8 = 31;

/// Why bytes are no record or delta. Bytes that this code wrote never are; the store is damaged,
/// or was written by a newer Streamgate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end in the middle of something.
    #[error("the bytes end too early")]
    Truncated,
    /// There are bytes behind the end.
    #[error("{0} bytes are left over")]
    TrailingBytes(usize),
    /// The version is above [`NEWEST`], and one that a later release may write.
    #[error("it was written by a newer Streamgate (format {0}), this one reads up to {NEWEST}")]
    NewerVersion(u8),
    /// A field holds what cannot be.
    #[error("{0} is not valid")]
    Invalid(&'static str),
}

/// Checks the version of a record or a delta, and looks at nothing else of it.
///
/// # Errors
/// [`CodecError::NewerVersion`]; [`CodecError::Invalid`] or [`CodecError::Truncated`] where there
/// is no version.
pub fn check_version(bytes: &[u8]) -> Result<(), CodecError> {
    match bytes.first() {
        Some(&(OLDEST..=NEWEST)) => Ok(()),
        Some(&version @ OLDEST..=HIGHEST) => Err(CodecError::NewerVersion(version)),
        Some(_) => Err(CodecError::Invalid("the version")),
        None => Err(CodecError::Truncated),
    }
}
