//! `streamgate store check`: is everything as it was written?

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Damage, OpenError};
use crate::tools::inspect::inspect;
use crate::tools::report::{Bytes, Count};

/// What a check found. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The directory.
    pub dir: PathBuf,
    /// Everything that is wrong; empty where the directory is sound.
    pub problems: Vec<Damage>,
    /// The last write, where it cannot be read: one that a crash interrupted before anybody was
    /// told, or, rarely, one that was damaged within a second of its end. The next start cuts it.
    pub torn: Option<Damage>,
    /// Users that have a readable record.
    pub users: u64,
    /// Records in the readable part of the log.
    pub log_records: u64,
    /// Files of the store.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Reads everything in a data directory and lists every problem.
///
/// # Errors
/// [`OpenError`] where the directory is in use, cannot be read, or is newer than this program.
pub fn check(dir: &Path) -> Result<CheckReport, OpenError> {
    let found = inspect(dir)?;
    Ok(CheckReport {
        dir: dir.to_owned(),
        users: found.table.records(),
        log_records: found.log_records,
        files: found.files.len() as u64,
        bytes: found.files.iter().map(|(.., len)| len).sum(),
        problems: found.problems,
        torn: found.torn,
    })
}

impl CheckReport {
    /// Whether the directory is as it was written. A torn tail is no damage.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} ({}), {} readable, {} in the log",
            self.dir.display(),
            Count(self.files, "file"),
            Bytes(self.bytes),
            Count(self.users, "user"),
            Count(self.log_records, "record"),
        )?;
        if let Some(torn) = &self.torn {
            writeln!(
                f,
                "note: a write was interrupted; the next start cuts it ({torn})"
            )?;
        }
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        match self.problems.len() as u64 {
            0 => write!(f, "sound"),
            count => write!(
                f,
                "{}; `streamgate store repair {}` keeps what is whole",
                Count(count, "problem"),
                self.dir.display()
            ),
        }
    }
}
