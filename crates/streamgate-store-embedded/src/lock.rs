//! The lock of a data directory: one process at a time.
//!
//! The kernel releases the lock when the process dies, so a leftover lock file never keeps a store
//! from starting.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::disk::FILE_MODE;
use crate::error::OpenError;
use crate::fatal::is_full;

/// The name of the lock file. It holds the id of the process in decimal.
pub(crate) const LOCK_FILE: &str = "LOCK";

/// The lock; released when dropped.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Locks a directory, which must exist.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(LOCK_FILE);
        let io_error = |cause: io::Error| OpenError::io("opening", &path, cause);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(io_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The process id is a help only.
                let _ = file.read_to_string(&mut holder);
                return Err(OpenError::InUse {
                    dir: dir.to_owned(),
                    pid: holder.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(io_error(cause)),
        }
        file.set_len(0).map_err(io_error)?;
        file.rewind().map_err(io_error)?;
        match writeln!(file, "{}", std::process::id()) {
            // A full disk must not keep a store from starting: stops and lists need no space.
            Err(cause) if !is_full(&cause) => return Err(io_error(cause)),
            _ => {}
        }
        Ok(Self { _file: file })
    }
}
