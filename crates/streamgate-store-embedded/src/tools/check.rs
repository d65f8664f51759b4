//! `streamgate store check`: is everything as it was written?

use std::fmt;
use std::path::{Path, PathBuf};

use crate::disk::RealDisk;
use crate::error::{Damage, OpenError};
use crate::lock::DirLock;
use crate::tools::report::{Bytes, Count};
use crate::tools::walk::{Walk, walk};

/// What a check found. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The directory.
    pub dir: PathBuf,
    /// Everything that is wrong; empty where the directory is sound.
    pub problems: Vec<Damage>,
    /// The last write, where it cannot be read: one that a crash interrupted before anybody was told,
    /// or, rarely, one that was damaged within a second of its end. The next start cuts it.
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
    let (_lock, _, walk) = walk_dir(dir)?;
    Ok(CheckReport {
        dir: dir.to_owned(),
        users: walk.table.records(),
        log_records: walk.log_records,
        files: walk.files.len() as u64,
        bytes: walk.files.iter().map(|(.., len)| len).sum(),
        problems: walk.problems,
        torn: walk.torn,
    })
}

/// Takes the lock of a directory that is there, and walks over it.
pub(super) fn walk_dir(dir: &Path) -> Result<(DirLock, RealDisk, Walk), OpenError> {
    let disk = RealDisk::existing(dir)
        .map_err(|cause| OpenError::io("opening the data directory", dir, cause))?;
    let lock = DirLock::take(dir)?;
    let walk = walk(&disk)?;
    Ok((lock, disk, walk))
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
