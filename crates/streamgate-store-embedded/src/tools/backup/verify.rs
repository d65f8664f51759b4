//! Reads a backup as a restart would, and compares every byte with the checksums of its list.

use std::path::Path;

use super::{BackupReport, BackupToolError};
use crate::backup::MANIFEST_FILE;
use crate::backup::frame::PIECE_BYTES;
use crate::backup::manifest::{BackupFile, MANIFEST_MAX_BYTES, Manifest, ManifestError, VERSION};
use crate::disk::{Disk, DiskFile, RealDisk};
use crate::error::OpenError;
use crate::reader::{self, Contents};
use crate::tools::inspect::check_records;

/// Reads the list of a backup.
pub(super) fn manifest(disk: &RealDisk) -> Result<Manifest, BackupToolError> {
    let path = disk.path().join(MANIFEST_FILE);
    let file = disk
        .open(MANIFEST_FILE)
        .map_err(|cause| match cause.kind() {
            std::io::ErrorKind::NotFound => BackupToolError::NotABackup(disk.path().to_owned()),
            _ => BackupToolError::io("reading", &path, cause),
        })?;
    let io_error = |cause| BackupToolError::io("reading", &path, cause);
    let len = usize::try_from(file.len().map_err(io_error)?).unwrap_or(usize::MAX);
    if len > MANIFEST_MAX_BYTES {
        return Err(BackupToolError::damaged(
            &path,
            None,
            "the list is too long",
        ));
    }
    let mut text = vec![0; len];
    file.read_at(&mut text, 0).map_err(io_error)?;
    let read = Manifest::parse(&text).map_err(|error| match error {
        ManifestError::Damaged(what) => BackupToolError::damaged(&path, None, what),
        ManifestError::Newer(found) => BackupToolError::Newer {
            path: path.clone(),
            found,
            known: VERSION,
        },
    })?;
    if read.files.iter().any(|file| file.sum.is_none()) {
        return Err(BackupToolError::damaged(
            &path,
            None,
            "a checksum is missing",
        ));
    }
    Ok(read)
}

/// Compares the files with the list, byte by byte, and reads them as a restart would.
pub(super) fn verify(disk: &RealDisk, list: &Manifest) -> Result<BackupReport, BackupToolError> {
    for file in &list.files {
        check_file(disk, file)?;
    }
    let dir = disk.path();
    let mut refuse = |damage| Err(OpenError::damaged(dir, damage));
    let Contents {
        files, table, log, ..
    } = reader::read(disk, &mut refuse)?;
    if let Some(name) = files
        .named
        .iter()
        .map(|(.., name)| name)
        .find(|name| !is_listed(list, name))
    {
        let what = "the file is not in the list of the backup";
        return Err(BackupToolError::damaged(&dir.join(name), None, what));
    }
    if log.end.torn.is_some() || log.end.last != list.position {
        let (ends, position) = (log.end.last, list.position);
        let what = format!("the log ends at position {ends}, the list says {position}");
        return Err(BackupToolError::damaged(dir, None, what));
    }
    let mut problems = Vec::new();
    let live_sessions = check_records(disk, &table, &mut problems)?;
    if let Some(problem) = problems.pop() {
        return Err(BackupToolError::Damaged(problem));
    }
    Ok(BackupReport {
        dir: dir.to_owned(),
        as_of_ms: list.as_of_ms,
        release: list.release.clone(),
        users: table.records(),
        live_sessions,
        files: list.files.len() as u64,
        bytes: list.total_len(),
    })
}

fn is_listed(list: &Manifest, name: &str) -> bool {
    list.files.iter().any(|file| file.name() == name)
}

/// Compares one file with its checksum; behind the content there are zeros only.
fn check_file(disk: &RealDisk, listed: &BackupFile) -> Result<(), BackupToolError> {
    let name = listed.name();
    let path = disk.path().join(&name);
    let io_error = |cause| BackupToolError::io("reading", &path, cause);
    let file = disk.open(&name).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => {
            BackupToolError::damaged(&path, None, "the file is missing")
        }
        _ => io_error(cause),
    })?;
    let len = file.len().map_err(io_error)?;
    if len != listed.len {
        let what = format!("the file has {len} bytes instead of {}", listed.len);
        return Err(BackupToolError::damaged(&path, None, what));
    }
    let mut sum = 0;
    each_piece(&*file, 0, listed.content, |_, bytes| {
        sum = crc32c::crc32c_append(sum, bytes);
        Ok(())
    })
    .map_err(io_error)?;
    if Some(sum) != listed.sum {
        return Err(BackupToolError::damaged(
            &path,
            None,
            "its checksum is wrong",
        ));
    }
    let mut wrong = None;
    each_piece(&*file, listed.content, len, |at, bytes| {
        let found = bytes.iter().position(|byte| *byte != 0);
        wrong = wrong.or(found.map(|found| at + found as u64));
        Ok(())
    })
    .map_err(io_error)?;
    wrong.map_or(Ok(()), |at| {
        let what = "there are bytes behind the end of the log";
        Err(BackupToolError::damaged(&path, Some(at), what))
    })
}

/// Reads a part of a file in pieces; `each` gets the offset and the bytes of each.
pub(super) fn each_piece(
    file: &dyn DiskFile,
    from: u64,
    to: u64,
    mut each: impl FnMut(u64, &[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = from;
    while at < to {
        let len = usize::try_from(to - at).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        file.read_at(&mut piece[..len], at)?;
        each(at, &piece[..len])?;
        at += len as u64;
    }
    Ok(())
}

/// Checks a backup as it lies there. Changes nothing, and needs no right to write.
pub(super) fn open(dir: &Path) -> Result<(RealDisk, Manifest, BackupReport), BackupToolError> {
    let disk = RealDisk::read_only(dir)
        .map_err(|cause| BackupToolError::io("opening the backup", dir, cause))?;
    let list = manifest(&disk)?;
    let report = verify(&disk, &list)?;
    Ok((disk, list, report))
}
