//! `streamgate store check`: lists all damage in a data directory.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Damage, OpenError};
use crate::tools::inspect::inspect;
use crate::tools::report::{Bytes, Count};

/// The result of a check, which changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The directory.
    pub dir: PathBuf,
    /// All damage; empty if the directory is sound.
    pub problems: Vec<Damage>,
    /// The torn end of the log, if there is one: a write that a crash interrupted before its calls
    /// were answered or, rarely, one that was damaged within a second of its end. The next start
    /// cuts it.
    pub torn: Option<Damage>,
    /// Users that have a readable record.
    pub users: u64,
    /// Records in the readable part of the log.
    pub log_records: u64,
    /// Files of the store.
    pub files: u64,
    /// The length of all files.
    pub bytes: u64,
}

/// Reads everything in a data directory and lists every problem.
///
/// # Errors
/// [`OpenError`] if the directory is in use, cannot be read, or is newer than this program.
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
    /// Whether nothing is damaged. A torn end of the log is not damage.
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
