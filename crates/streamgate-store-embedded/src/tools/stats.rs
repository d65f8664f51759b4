//! `streamgate store stats`: how much a data directory holds.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::format::FileKind;
use crate::tools::inspect::inspect;
use crate::tools::report::{Bytes, Count};

/// How much a data directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsReport {
    /// The directory.
    pub dir: PathBuf,
    /// Users that have a record.
    pub users: u64,
    /// Sessions that are live in the records, expired leases included.
    pub live_sessions: u64,
    /// Bytes of keys and records in memory.
    pub state_bytes: u64,
    /// Segments of the log.
    pub segments: u64,
    /// Their length, including the zeros behind the last record.
    pub segment_bytes: u64,
    /// Records in the log behind the snapshot.
    pub log_records: u64,
    /// Users in the snapshot, if there is one.
    pub snapshot_users: Option<u64>,
    /// Bytes of snapshots.
    pub snapshot_bytes: u64,
    /// Damaged places; `check` lists them.
    pub problems: u64,
}

/// Counts what a data directory holds. Changes nothing.
///
/// # Errors
/// [`OpenError`] if the directory is in use, cannot be read, or is newer than this program.
pub fn stats(dir: &Path) -> Result<StatsReport, OpenError> {
    let found = inspect(dir)?;
    let of = |kind| found.files.iter().filter(move |(_, is, _)| *is == kind);
    let bytes = |kind| of(kind).map(|(.., len)| len).sum();
    Ok(StatsReport {
        dir: dir.to_owned(),
        users: found.table.records(),
        live_sessions: found.live_sessions,
        state_bytes: found.table.bytes(),
        segments: of(FileKind::Segment).count() as u64,
        segment_bytes: bytes(FileKind::Segment),
        log_records: found.log_records,
        snapshot_users: found.snapshot_users,
        snapshot_bytes: bytes(FileKind::Snapshot),
        problems: found.problems.len() as u64,
    })
}

impl fmt::Display for StatsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "data directory  {}", self.dir.display())?;
        writeln!(f, "users           {}", self.users)?;
        writeln!(f, "live sessions   {}", self.live_sessions)?;
        writeln!(f, "state           {}", Bytes(self.state_bytes))?;
        writeln!(
            f,
            "log             {}, {}, {} behind the snapshot",
            Count(self.segments, "segment"),
            Bytes(self.segment_bytes),
            Count(self.log_records, "record")
        )?;
        match self.snapshot_users {
            Some(users) => writeln!(
                f,
                "snapshot        {}, {}",
                Count(users, "user"),
                Bytes(self.snapshot_bytes)
            )?,
            None => writeln!(f, "snapshot        none yet")?,
        }
        write!(f, "problems        {}", self.problems)
    }
}
