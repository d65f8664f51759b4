//! fjall 3: one write batch a commit, synced with it.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::Result;
use crate::candidates::Record;
use crate::candidates::shape::Engine;

/// A database with one keyspace.
pub(crate) struct Fjall {
    database: Database,
    records: Keyspace,
}

impl Fjall {
    /// Opens it with its defaults.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let database = Database::builder(dir.join("fjall")).open()?;
        let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
        Ok(Self { database, records })
    }
}

impl Engine for Fjall {
    fn commit(&mut self, batch: &[Record]) -> Result<()> {
        let mut writes = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for record in batch {
            writes.insert(
                &self.records,
                record.key.as_slice(),
                record.value.as_slice(),
            );
        }
        Ok(writes.commit()?)
    }
}

/// Opens it again and reads every record.
pub(crate) fn read_back(dir: &Path) -> Result<u64> {
    let mut records = 0;
    for item in Fjall::open(dir)?.records.iter() {
        let (key, value) = item.into_inner()?;
        records += u64::from(!key.is_empty() && !value.is_empty());
    }
    Ok(records)
}
