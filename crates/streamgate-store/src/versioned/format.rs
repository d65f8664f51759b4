//! The format mark of a store that several nodes share: the newest version of records that may
//! occur in it. It is raised before the first such record is written, so a node that reads only
//! older ones can refuse as a whole, before it meets a record.

use std::sync::atomic::{AtomicU32, Ordering};

use streamgate_core::codec::NEWEST;

use crate::port::{Refusal, StoreError};

/// The version that occurs in a store without a mark.
const UNMARKED: u32 = 1;

/// What callers are told.
const TOLD: &str = "the store was written by a newer version of this server";

/// A store with records that this program cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the store was written by a newer Streamgate (format {found}), this one reads up to {NEWEST}"
)]
pub struct NewerFormat {
    /// The newest version that may occur.
    pub found: u32,
}

/// What the mark last said.
#[derive(Debug)]
pub(super) struct Format(AtomicU32);

impl Format {
    /// Nothing is known yet, and so nothing is refused: a record of a newer version is refused for
    /// itself.
    pub(super) const fn unknown() -> Self {
        Self(AtomicU32::new(UNMARKED))
    }

    /// The mark was read.
    pub(super) fn learn(&self, mark: Option<u32>) {
        self.0.store(mark.unwrap_or(UNMARKED), Ordering::Relaxed);
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
