//! The candidates, and the shape in which all of them are measured.

mod fjall;
pub(crate) mod log;
mod redb;
pub(crate) mod shape;
mod store;

use std::path::Path;

use crate::Result;
use crate::candidates::shape::GroupCommit;
use crate::candidates::store::Whole;

pub(crate) use crate::candidates::store::failed;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// The embedded store as it is: table, log writer, segments zeroed ahead.
    Store,
    /// The same on a disk that leaves the zeros out.
    StoreUnzeroed,
    /// A bare log in the common shape, in a file zeroed ahead.
    Log,
    /// The same in a file that grows.
    LogUnzeroed,
    /// fjall 3: one batch a commit.
    Fjall,
    /// redb 4: one transaction a commit.
    Redb,
}

impl Candidate {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 6] = [
        Self::Store,
        Self::StoreUnzeroed,
        Self::Log,
        Self::LogUnzeroed,
        Self::Fjall,
        Self::Redb,
    ];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Store => "embedded store (table and log)",
            Self::StoreUnzeroed => "the same, not zeroed ahead",
            Self::Log => "bare log, zeroed ahead",
            Self::LogUnzeroed => "the same, not zeroed ahead",
            Self::Fjall => "fjall 3, one batch a commit",
            Self::Redb => "redb 4, one transaction a commit",
        }
    }

    /// Opens it in an empty directory.
    pub(crate) fn open(self, dir: &Path) -> Result<Running> {
        Ok(match self {
            Self::Store => Running::Whole(Whole::open(dir, true)?),
            Self::StoreUnzeroed => Running::Whole(Whole::open(dir, false)?),
            Self::Log => Running::Shaped(GroupCommit::start(log::Log::create(
                dir,
                Some(log::AHEAD_BYTES),
            )?)),
            Self::LogUnzeroed => Running::Shaped(GroupCommit::start(log::Log::create(dir, None)?)),
            Self::Fjall => Running::Shaped(GroupCommit::start(fjall::Fjall::open(dir)?)),
            Self::Redb => Running::Shaped(GroupCommit::start(redb::Redb::open(dir)?)),
        })
    }

    /// Reads everything back, and returns how many records there were. `None` where that would
    /// say nothing: without zeros ahead a segment counts as cut off.
    pub(crate) fn read_back(self, dir: &Path) -> Result<Option<u64>> {
        Ok(Some(match self {
            Self::Store => Whole::read_back(dir)?,
            Self::StoreUnzeroed => return Ok(None),
            Self::Log | Self::LogUnzeroed => log::read_back(dir)?,
            Self::Fjall => fjall::read_back(dir)?,
            Self::Redb => redb::read_back(dir)?,
        }))
    }
}

/// A change of one user: a key and about 80 bytes, 100 together.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl Record {
    /// The record with this number. Keys come in no order, as users do.
    pub(crate) fn numbered(number: u64) -> Self {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut value = vec![0x5a; 72];
        value[..8].copy_from_slice(&mixed.to_le_bytes());
        Self {
            key: format!("default\0user-{mixed:015x}").into_bytes(),
            value,
        }
    }
}

/// A candidate that takes writes.
pub(crate) enum Running {
    /// In the common shape.
    Shaped(GroupCommit),
    /// With a writer of its own.
    Whole(Whole),
}

impl Running {
    /// Writes one record and returns when it is on disk.
    pub(crate) async fn write(&self, number: u64) -> Result<()> {
        match self {
            Self::Shaped(writer) => writer.write(Record::numbered(number)).await,
            Self::Whole(store) => store.write(number).await,
        }
    }

    /// Stops it.
    pub(crate) async fn close(self) -> Result<()> {
        match self {
            Self::Shaped(writer) => writer.close(),
            Self::Whole(store) => store.close().await,
        }
    }
}
