//! The stored byte form of ledgers and events, versioned.
//!
//! A record is one ledger; a delta is what one decision did to it. Both begin with a version byte.
//! Readers take every version ever written; writers write the newest. The golden files under
//! `tests/golden/` hold each version's bytes and never change.
//!
//! Checksums are *not* here: whoever stores bytes guards them (the log has one a record).

mod delta;
mod parts;
mod record;
mod replay;
mod wire;

pub use delta::{decode_delta, encode_delta};
pub use record::{decode_ledger, encode_ledger};
pub use replay::{Graced, apply_delta, grant_grace};

/// The version that is written.
pub const VERSION: u8 = 1;

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
    /// The version is not one that this code knows.
    #[error("version {0} is unknown; it was written by a newer Streamgate")]
    UnknownVersion(u8),
    /// A field holds what cannot be.
    #[error("{0} is not valid")]
    Invalid(&'static str),
}
