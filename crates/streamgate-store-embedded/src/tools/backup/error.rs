//! Why a backup was not written or not restored.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Damage, OpenError};

/// Why a backup was not written or not restored. What was begun has been removed.
#[derive(Debug, thiserror::Error)]
pub enum BackupToolError {
    /// Something has the name of the backup.
    #[error("{} exists already; a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// Another process writes a backup into the directory.
    #[error("another backup into {} is under way", .0.display())]
    Busy(PathBuf),
    /// An earlier run did not finish, or runs still.
    #[error(
        "{} exists: another backup to this name is being written, or was killed. Remove it if none \
         runs",
        .0.display()
    )]
    Unfinished(PathBuf),
    /// The bytes from the server are not a whole backup.
    #[error("the backup was not received: {0}")]
    Stream(io::Error),
    /// The directory holds no backup.
    #[error("{} is no backup: it has no file BACKUP", .0.display())]
    NotABackup(PathBuf),
    /// The backup is not what was written.
    #[error("the backup is damaged, and cannot be restored: {0}")]
    Damaged(Damage),
    /// The backup was made by a newer Streamgate.
    #[error(
        "{} was written by a newer Streamgate (format {found}), this one reads up to {known}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
    /// The data directory is not empty.
    #[error(
        "{} is not empty: it has {name:?}. A restore overwrites nothing: name a directory that is \
         empty or does not exist",
        dir.display()
    )]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
        /// What is in there.
        name: String,
    },
    /// The operating system refused.
    #[error("{doing} {} failed: {cause}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// The directory cannot be used.
    #[error(transparent)]
    Open(OpenError),
}

impl BackupToolError {
    pub(super) fn io(doing: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.to_owned(),
            cause,
        }
    }

    pub(super) fn damaged(path: &Path, offset: Option<u64>, what: impl Into<String>) -> Self {
        Self::Damaged(Damage::new(path, offset, what))
    }
}

impl From<OpenError> for BackupToolError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Damaged { damage, .. } => Self::Damaged(damage),
            OpenError::NewerFormat { path, found, known } => Self::Newer { path, found, known },
            other => Self::Open(other),
        }
    }
}
