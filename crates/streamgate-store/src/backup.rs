//! A backup of a store that runs: bytes from which a server can start again.

use std::fmt;
use std::io;

use crate::port::StoreError;

/// A backup that is being read: one point in time, in the store's own form.
///
/// It holds a place until it is dropped: a store makes one backup at a time.
pub trait Backup: Send + fmt::Debug {
    /// How many bytes all pieces have together.
    fn total_bytes(&self) -> u64;

    /// The next piece, about a megabyte at most; `None` after the last one. It may block on a file.
    ///
    /// # Errors
    /// The error of the operating system. The backup is then worth nothing.
    fn next_piece(&mut self) -> io::Result<Option<Vec<u8>>>;
}

/// Why a store makes no backup. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store is on a server that has its own means; the text names them.
    #[error("{0}")]
    Elsewhere(&'static str),
    /// Another backup is being read.
    #[error("another backup of this store is under way")]
    Running,
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files of the store cannot be read.
    #[error("{doing} failed: {cause}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
}
