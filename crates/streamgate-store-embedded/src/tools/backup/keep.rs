//! A directory of backups: one more is written, and the oldest go.

use std::fs;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::receive::{UNFINISHED, receive};
use super::{BackupReport, BackupToolError};
use crate::backup::MANIFEST_FILE;
use crate::disk::RealDisk;
use crate::error::OpenError;
use crate::lock::DirLock;

/// What the names of backups in a directory begin with. The time follows, so that they sort by it.
const PREFIX: &str = "streamgate-";

/// Writes a backup as `streamgate-TIME` into a directory, which is made if it is missing, then
/// removes the oldest backups there until `keep` are left. The new one is never removed, and none
/// is if it fails. Anything else in the directory stays.
///
/// Returns the report and the backups that were removed.
///
/// # Errors
/// [`BackupToolError`], as [`receive`]; if an old backup cannot be removed, the new one is there.
pub fn receive_and_keep(
    stream: &mut dyn Read,
    dir: &Path,
    time: &str,
    keep: NonZeroUsize,
) -> Result<(BackupReport, Vec<PathBuf>), BackupToolError> {
    RealDisk::create(dir).map_err(|cause| BackupToolError::io("opening", dir, cause))?;
    let _lock = DirLock::take(dir).map_err(|error| match error {
        OpenError::InUse { .. } => BackupToolError::Busy(dir.to_owned()),
        other => BackupToolError::Open(other),
    })?;
    // With the lock held, a backup that is not finished is one that was killed.
    for path in named(dir)? {
        if path.to_string_lossy().ends_with(UNFINISHED) {
            remove(&path)?;
        }
    }
    let new = dir.join(format!("{PREFIX}{time}"));
    let report = receive(stream, &new)?;
    let mut old = named(dir)?;
    old.retain(|path| *path != new && path.join(MANIFEST_FILE).is_file());
    old.sort();
    let many = (old.len() + 1).saturating_sub(keep.get());
    old.truncate(many);
    for path in &old {
        remove(path)?;
    }
    Ok((report, old))
}

/// The directories with the name of a backup.
fn named(dir: &Path) -> Result<Vec<PathBuf>, BackupToolError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let is_named = entry.file_name().to_string_lossy().starts_with(PREFIX);
            // A symbolic link is no directory here.
            if is_named && entry.file_type()?.is_dir() {
                found.push(entry.path());
            }
        }
        Ok(found)
    };
    list().map_err(|cause| BackupToolError::io("listing", dir, cause))
}

fn remove(path: &Path) -> Result<(), BackupToolError> {
    fs::remove_dir_all(path).map_err(|cause| BackupToolError::io("removing", path, cause))
}
