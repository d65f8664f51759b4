//! The format mark of a store that several nodes share: the newest version of records that may
//! occur in it. It is raised before the first such record is written, so a node that reads only
//! older ones can refuse as a whole, before it meets a record, and a node that can write newer ones
//! does not do so before.

use std::sync::atomic::{AtomicU32, Ordering};

use streamgate_core::codec::{NEWEST, OLDEST};

use crate::port::{Refusal, StoreError};

/// The only version of records in a store without a mark.
const UNMARKED: u32 = 1;

/// [`Refusal::told`] of a store with newer records.
const TOLD: &str = "the store was written by a newer version of this server";

/// A store with records that this program cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the store was written by a newer Streamgate (format {found}), this one reads up to {NEWEST}"
)]
pub struct NewerFormat {
    /// The version in the mark: the newest that may occur in the store.
    pub found: u32,
}

/// A mark that was not read yet.
const UNKNOWN: u32 = 0;

/// The version in the mark, as read last.
#[derive(Debug)]
pub(super) struct Format(AtomicU32);

impl Format {
    /// The mark was not read yet; the first call reads it.
    pub(super) const fn unknown() -> Self {
        Self(AtomicU32::new(UNKNOWN))
    }

    pub(super) fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed) != UNKNOWN
    }

    /// The mark was read.
    pub(super) fn learn(&self, mark: Option<u32>) {
        self.0.store(mark.unwrap_or(UNMARKED), Ordering::Relaxed);
    }

    /// The newest version that may be written.
    pub(super) fn writable(&self) -> u8 {
        let mark = self.0.load(Ordering::Relaxed);
        u8::try_from(mark).map_or(NEWEST, |mark| mark.clamp(OLDEST, NEWEST))
    }

    /// Whether all records can be read.
    pub(super) fn check(&self) -> Result<(), NewerFormat> {
        match self.0.load(Ordering::Relaxed) {
            found if found > NEWEST.into() => Err(NewerFormat { found }),
            _ => Ok(()),
        }
    }
}

impl From<NewerFormat> for StoreError {
    fn from(newer: NewerFormat) -> Self {
        Self::Refused(Refusal {
            told: TOLD,
            why: newer.to_string(),
        })
    }
}
