//! A backup: the files that a restart would read, up to one position of the log.
//!
//! ```text
//! running store ── source: snapshot N, segments N.. up to position P ──► stream of frames
//! stream ── receive ──► directory: the same files, and `BACKUP` that lists them
//! directory ── restore ──► data directory
//! ```
//!
//! Nothing is copied from the table and no shard is locked: the files are opened once, and a file
//! stays readable through its handle when a newer snapshot removes its name. The state is that of
//! position P, exactly, because replay of a snapshot and of all the log behind it ends there.
//!
//! What is *not* here: how a client writes and restores one (`tools/backup/`).

pub(crate) mod frame;
pub(crate) mod manifest;
pub(crate) mod source;

use crate::disk::Disk;
use crate::error::OpenError;

/// The file that makes a directory a backup. A restore writes it first and removes it last.
pub(crate) const MANIFEST_FILE: &str = "BACKUP";

/// Refuses a backup, and a data directory whose restore did not finish: a server would change the
/// first and lose sessions in the second.
pub(crate) fn refuse(disk: &dyn Disk) -> Result<(), OpenError> {
    let dir = disk.path();
    let names = disk
        .list()
        .map_err(|cause| OpenError::io("listing", dir, cause))?;
    if names.iter().any(|name| name == MANIFEST_FILE) {
        return Err(OpenError::IsBackup {
            dir: dir.to_owned(),
        });
    }
    Ok(())
}
