//! Reads a data directory into memory: the newest snapshot, then the log behind it.
//!
//! Recovery and the operator's tools read with the same code and differ in one thing: what they do
//! about damage. Recovery stops at the first; the tools note it and go on with what is whole.
//!
//! What is *not* here: any change of a file (`recovery/`, `tools/repair.rs`).

mod files;
mod load;
mod replay;
mod verdict;

use std::path::Path;

use crate::disk::Disk;
use crate::error::{Damage, OpenError};
use crate::snapshot::End;
use crate::table::hash::HashSeed;
use crate::table::{SHARDS, Table};

pub(crate) use files::{CheckedFile, Files};
pub(crate) use replay::Replayed;
pub(crate) use verdict::{LogPosition, Torn};

/// Receives each damaged place. `Err` stops the reading, `Ok` goes on behind the place.
pub(crate) type OnDamage<'a> = &'a mut dyn FnMut(Damage) -> Result<(), OpenError>;

/// What a directory holds.
pub(crate) struct Contents {
    pub(crate) files: Files,
    /// All records, with the log applied. Leases are as they were written.
    pub(crate) table: Table,
    /// How many records of the snapshot are readable, if there is one.
    pub(crate) snapshot_records: Option<u64>,
    pub(crate) log: Replayed,
}

/// Reads everything that a restart needs. Changes nothing.
pub(crate) fn read(disk: &dyn Disk, on_damage: OnDamage<'_>) -> Result<Contents, OpenError> {
    let mut reader = Reader { disk, on_damage };
    let files = reader.files()?;
    let table = Table::new(files.seed.unwrap_or_else(HashSeed::random));
    let (mut copied_at, mut end) = (vec![0; SHARDS], End::default());
    let mut snapshot_records = None;
    if let Some(snapshot) = &files.snapshot
        && let Some(header) = &snapshot.header
    {
        end = reader.load(snapshot, header, &table, &mut copied_at)?;
        snapshot_records = Some(table.records());
    }
    let log = reader.replay(&files, &table, &copied_at, end.position)?;
    Ok(Contents {
        files,
        table,
        snapshot_records,
        log,
    })
}

/// The directory being read. Each step of the reading is a module with an `impl` of its own.
struct Reader<'a> {
    disk: &'a dyn Disk,
    on_damage: OnDamage<'a>,
}

impl Reader<'_> {
    /// Reports a damaged place.
    fn damaged(
        &mut self,
        path: &Path,
        offset: impl Into<Option<u64>>,
        what: impl Into<String>,
    ) -> Result<(), OpenError> {
        (self.on_damage)(Damage::new(path, offset.into(), what))
    }
}
