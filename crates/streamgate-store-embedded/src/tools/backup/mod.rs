//! `streamgate store backup` and `restore`: the stream of a server becomes a directory, and the
//! directory a data directory.

mod error;
mod keep;
mod receive;
mod restore;
mod verify;

use std::fmt;
use std::path::PathBuf;

use crate::tools::report::{Bytes, Count};

pub use error::BackupToolError;
pub use keep::receive_and_keep;
pub use receive::receive;
pub use restore::restore;

/// What a backup holds, after it was written or restored and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The directory: of the backup, or the data directory that was made of it.
    pub dir: PathBuf,
    /// Everything that was answered before this time is in it, heartbeats excepted: milliseconds
    /// since 1970, by the wall clock of the server that made the backup.
    pub as_of_ms: u64,
    /// The release of that server.
    pub release: String,
    /// Users that have a record.
    pub users: u64,
    /// Sessions that were live, including leases that have run out since.
    pub live_sessions: u64,
    /// How many files there are.
    pub files: u64,
    /// Their length, zeros at the end of the log included.
    pub bytes: u64,
}

impl fmt::Display for BackupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} ({}), {}, {}; every checksum is right",
            self.dir.display(),
            Count(self.files, "file"),
            Bytes(self.bytes),
            Count(self.users, "user"),
            Count(self.live_sessions, "live session"),
        )
    }
}
