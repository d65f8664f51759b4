//! Reads a whole data directory for the tools: everything that is whole, and every problem.
//!
//! It reads as recovery does, but goes on behind damage. Where it finds no problem the directory
//! opens, and holds what was found here.

use std::path::Path;

use streamgate_core::codec;

use crate::disk::{Disk, RealDisk};
use crate::error::{Damage, OpenError};
use crate::format::FileKind;
use crate::lock::DirLock;
use crate::log::Lsn;
use crate::reader::{self, Contents};
use crate::table::Table;

/// What was found in a directory, which stays locked.
pub(super) struct Inspected {
    _lock: DirLock,
    pub(super) disk: RealDisk,
    /// Everything that is whole.
    pub(super) table: Table,
    pub(super) problems: Vec<Damage>,
    /// Records of the log that are lost: from and to, both included.
    pub(super) lost: Vec<(Lsn, Lsn)>,
    /// The torn tail, which the next start cuts.
    pub(super) torn: Option<Damage>,
    /// How many records the snapshot has, if there is one.
    pub(super) snapshot_users: Option<u64>,
    pub(super) log_records: u64,
    /// Live sessions in the records.
    pub(super) live_sessions: u64,
    /// Names, kinds and lengths of the files.
    pub(super) files: Vec<(String, FileKind, u64)>,
    /// Above all numbers of files.
    pub(super) next_number: u64,
    /// Above all positions of records.
    pub(super) next_lsn: Lsn,
}

/// Locks a directory, which must exist, and reads it.
pub(super) fn inspect(dir: &Path) -> Result<Inspected, OpenError> {
    let disk = RealDisk::existing(dir)
        .map_err(|cause| OpenError::io("opening the data directory", dir, cause))?;
    let lock = DirLock::take(dir)?;
    let mut problems = Vec::new();
    let mut note = |damage| {
        problems.push(damage);
        Ok(())
    };
    let Contents {
        files,
        table,
        snapshot_records,
        log,
    } = reader::read(&disk, &mut note)?;
    let live_sessions = check_records(&disk, &table, &mut problems)?;
    let torn = log.end.torn.map(|torn| {
        let name = FileKind::Segment.file_name(torn.at.segment);
        Damage::new(&dir.join(name), Some(torn.at.offset), torn.what)
    });
    let next_number = files.named.last().map_or(1, |(number, ..)| number + 1);
    let measure = |(_, kind, name): (u64, FileKind, String)| {
        let len = disk.open(&name).and_then(|file| file.len());
        let len = len.map_err(|cause| OpenError::io("reading", &dir.join(&name), cause))?;
        Ok((name, kind, len))
    };
    let named = files.named.into_iter().map(measure);
    Ok(Inspected {
        files: named.collect::<Result<_, OpenError>>()?,
        _lock: lock,
        disk,
        table,
        problems,
        lost: log.end.lost,
        torn,
        snapshot_users: snapshot_records,
        log_records: log.records,
        live_sessions,
        next_number,
        next_lsn: log.end.last + 1,
    })
}

/// Decodes every record, takes out those that cannot be decoded, and counts live sessions.
pub(super) fn check_records(
    disk: &RealDisk,
    table: &Table,
    problems: &mut Vec<Damage>,
) -> Result<u64, OpenError> {
    let (mut live_sessions, mut undecodable) = (0, Vec::new());
    for shard in table.shards() {
        for entry in &shard.lock().entries {
            match codec::decode_ledger(entry.record()) {
                Ok(ledger) => live_sessions += ledger.live.len() as u64,
                Err(error) => undecodable.push((entry.key().to_vec(), error)),
            }
        }
    }
    for (key, error) in undecodable {
        table.put(&key, None);
        let user = String::from_utf8_lossy(&key).replace('\0', "/");
        let what = format!("the record of {user} cannot be read: {error}");
        let damage = Damage::of_record(error, disk.path(), None)?;
        problems.push(Damage { what, ..damage });
    }
    Ok(live_sessions)
}
