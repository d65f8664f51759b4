//! Makes a data directory of a backup.

use std::path::Path;

use super::receive::write_text;
use super::verify::{each_piece, open, verify};
use super::{BackupReport, BackupToolError};
use crate::backup::MANIFEST_FILE;
use crate::backup::manifest::{BackupFile, Manifest};
use crate::disk::{Disk, RealDisk};
use crate::lock::{DirLock, LOCK_FILE};
use crate::log::segment::write_zeros;

/// The directory that a file system has at its root.
const LOST_FOUND: &str = "lost+found";

/// Checks a backup and makes a data directory of it, from which a server can start. The backup is
/// only read. Everything is on disk when it returns.
///
/// # Errors
/// [`BackupToolError`]: the backup is damaged, or the data directory is not empty or cannot be
/// written. The files that were written have been removed.
pub fn restore(backup: &Path, data_dir: &Path) -> Result<BackupReport, BackupToolError> {
    let (from, list, report) = open(backup)?;
    let to = RealDisk::create(data_dir)
        .map_err(|cause| BackupToolError::io("making the data directory", data_dir, cause))?;
    let _lock = DirLock::take(data_dir)?;
    check_empty(&to)?;
    let restored = copy(&from, &to, &list);
    if restored.is_err() {
        // The error says more than one of these removals. What stays is refused by the marker.
        for file in &list.files {
            let _ = to.remove(&file.name());
        }
        let _ = to.remove(MANIFEST_FILE);
    }
    restored?;
    Ok(BackupReport {
        dir: data_dir.to_owned(),
        ..report
    })
}

/// Fails if there is anything but what a new volume has.
fn check_empty(disk: &RealDisk) -> Result<(), BackupToolError> {
    let names = disk
        .list()
        .map_err(|cause| BackupToolError::io("listing", disk.path(), cause))?;
    let found = names
        .into_iter()
        .find(|name| name != LOST_FOUND && name != LOCK_FILE);
    found.map_or(Ok(()), |name| {
        Err(BackupToolError::NotEmpty {
            dir: disk.path().to_owned(),
            name,
        })
    })
}

/// Copies all files. The list is there from before the first to after the last: while it is, no
/// server starts from the directory.
fn copy(from: &RealDisk, to: &RealDisk, list: &Manifest) -> Result<(), BackupToolError> {
    let io_error = |cause| BackupToolError::io("writing to", to.path(), cause);
    write_text(to, MANIFEST_FILE, list.to_text().as_bytes())
        .and_then(|()| to.sync_dir())
        .map_err(io_error)?;
    for file in &list.files {
        copy_file(from, to, file)?;
    }
    to.sync_dir().map_err(io_error)?;
    // Read back: from here on it is the only copy that a server uses.
    verify(to, list)?;
    to.remove(MANIFEST_FILE).map_err(io_error)?;
    to.sync_dir().map_err(io_error)
}

fn copy_file(from: &RealDisk, to: &RealDisk, listed: &BackupFile) -> Result<(), BackupToolError> {
    let name = listed.name();
    let source = from
        .open(&name)
        .map_err(|cause| BackupToolError::io("reading", &from.path().join(&name), cause))?;
    let path = to.path().join(&name);
    let io_error = |cause| BackupToolError::io("writing", &path, cause);
    let file = to.create(&name).map_err(io_error)?;
    each_piece(&*source, 0, listed.content, |at, bytes| {
        file.write_at(bytes, at)
    })
    .map_err(io_error)?;
    // Written, not only reserved: a server that finds its disk full goes on in these bytes.
    write_zeros(&*file, listed.content, listed.len)
        .and_then(|()| file.sync_data())
        .map_err(io_error)
}
