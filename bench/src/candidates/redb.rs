//! redb 4: one write transaction a commit, durable at once.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::Result;
use crate::candidates::Record;
use crate::candidates::shape::Engine;

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// A database with one table.
pub(crate) struct Redb(Database);

impl Redb {
    /// Opens it with its defaults.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        Ok(Self(Database::create(dir.join("redb"))?))
    }
}

impl Engine for Redb {
    fn commit(&mut self, batch: &[Record]) -> Result<()> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for record in batch {
                table.insert(record.key.as_slice(), record.value.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }
}

/// Opens it again and reads every record.
pub(crate) fn read_back(dir: &Path) -> Result<u64> {
    let database = Redb::open(dir)?.0;
    let transaction = database.begin_read()?;
    let mut records = 0;
    for item in transaction.open_table(RECORDS)?.iter()? {
        let (key, value) = item?;
        records += u64::from(!key.value().is_empty() && !value.value().is_empty());
    }
    Ok(records)
}
