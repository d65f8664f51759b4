//! Why a data directory could not be opened, in words for operators.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use streamgate_core::codec::{self, CodecError};

use crate::fatal::FatalError;

/// Why a store did not open. Nothing that was acknowledged has been changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses the directory.
    #[error(
        "the data directory {} is in use by {}; one process at a time may use it",
        dir.display(),
        holder(*pid)
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The process that holds it, if known.
        pid: Option<u32>,
    },
    /// The operating system refused.
    #[error("{doing} {} failed: {cause}", path.display())]
    Io {
        /// What was being done.
        doing: String,
        /// With which file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// The volume of a new directory is too small.
    #[error(
        "{}: the volume has {} MiB, and Streamgate needs at least {} MiB: pieces of the log are \
         written ahead, and a snapshot beside them",
        dir.display(),
        total >> 20,
        needed >> 20
    )]
    VolumeTooSmall {
        /// The directory.
        dir: PathBuf,
        /// How large the volume is, in bytes.
        total: u64,
        /// How large it must be, in bytes.
        needed: u64,
    },
    /// The directory is a backup, or a restore into it did not finish.
    #[error(
        "{dir} is a backup, or a restore into it did not finish. No server starts from it: \
         `streamgate store restore BACKUP --data-dir DIR` makes a data directory of a backup, in a \
         directory that is empty",
        dir = dir.display()
    )]
    IsBackup {
        /// The directory.
        dir: PathBuf,
    },
    /// The disk failed while a file was created.
    #[error(transparent)]
    Disk(#[from] FatalError),
    /// Data that had been acknowledged is damaged or missing.
    #[error(
        "{damage}. Nothing was changed. Run `streamgate store check {dir}` to list all damage, or \
         `streamgate store repair {dir}` to keep what is whole and set the rest aside",
        dir = dir.display()
    )]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// What is damaged, and where.
        damage: Damage,
    },
    /// A file was written by a newer Streamgate.
    #[error(
        "{} was written by a newer Streamgate (format {found}), this one reads up to {known}. Run \
         that one; nothing was changed",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
}

/// One place that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where in it, in bytes; `None` if it concerns the whole file.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(offset) = self.offset {
            write!(f, " is damaged at byte {offset}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Damage {
    pub(crate) fn new(path: &Path, offset: Option<u64>, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            offset,
            what: what.into(),
        }
    }

    /// A record or a delta that cannot be decoded although its checksum is right.
    ///
    /// One of a newer version is no damage: the error is returned.
    pub(crate) fn of_record(
        error: CodecError,
        path: &Path,
        offset: Option<u64>,
    ) -> Result<Self, OpenError> {
        match error {
            CodecError::NewerVersion(found) => Err(OpenError::NewerFormat {
                path: path.to_owned(),
                found: u32::from(found),
                known: u32::from(codec::NEWEST),
            }),
            error => {
                let what = format!("a record cannot be read: {error}");
                Ok(Self::new(path, offset, what))
            }
        }
    }
}

impl OpenError {
    pub(crate) fn damaged(dir: &Path, damage: Damage) -> Self {
        Self::Damaged {
            dir: dir.to_owned(),
            damage,
        }
    }

    pub(crate) fn io(doing: &str, path: &Path, cause: io::Error) -> Self {
        Self::Io {
            doing: doing.to_owned(),
            path: path.to_owned(),
            cause,
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}
