//! Writes the stream of a server as a directory: under a temporary name, read back, then renamed.

use std::fs::DirBuilder;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::verify::{manifest, verify};
use super::{BackupReport, BackupToolError};
use crate::backup::MANIFEST_FILE;
use crate::backup::frame::{self, PIECE_BYTES};
use crate::backup::manifest::{BackupFile, MANIFEST_MAX_BYTES, Manifest, ManifestError};
use crate::disk::{DIR_MODE, Disk, RealDisk};

/// Synced after this many bytes: a server whose log is on the same disk waits for its own syncs,
/// and one of those must not have to flush much of a backup.
const SYNC_BYTES: u64 = 4 << 20;

/// The suffix of a backup that is being written.
pub(super) const UNFINISHED: &str = ".partial";

/// Writes a backup from the stream of a server, reads it back as a restart would, and gives it its
/// name. Everything is on disk when it returns.
///
/// # Errors
/// [`BackupToolError`]: nothing has the name `dir` then that had it not before, and what was
/// written has been removed.
pub fn receive(stream: &mut dyn Read, dir: &Path) -> Result<BackupReport, BackupToolError> {
    let unfinished = Unfinished::create(dir)?;
    let path = &unfinished.path;
    let io_error = |cause| BackupToolError::io("writing", path, cause);
    let disk = RealDisk::existing(path).map_err(io_error)?;
    let mut list = read_head(stream)?;
    for file in &mut list.files {
        file.sum = Some(write_file(stream, &disk, file)?);
    }
    frame::read_end(stream).map_err(BackupToolError::Stream)?;
    let text = list.to_text();
    write_text(&disk, MANIFEST_FILE, text.as_bytes())
        .and_then(|()| disk.sync_dir())
        .map_err(io_error)?;
    // What the disk has, not what was meant to be written.
    let report = verify(&disk, &manifest(&disk)?)?;
    unfinished.give_name(dir)?;
    Ok(BackupReport {
        dir: dir.to_owned(),
        ..report
    })
}

/// Fails if something has the name of the backup, or its temporary name.
fn check_free(dir: &Path, unfinished: &Path) -> Result<(), BackupToolError> {
    if dir.symlink_metadata().is_ok() {
        return Err(BackupToolError::Exists(dir.to_owned()));
    }
    if unfinished.symlink_metadata().is_ok() {
        return Err(BackupToolError::Unfinished(unfinished.to_owned()));
    }
    Ok(())
}

/// The list of the files that follow.
fn read_head(stream: &mut dyn Read) -> Result<Manifest, BackupToolError> {
    frame::read_mark(stream).map_err(BackupToolError::Stream)?;
    let mut text = Vec::new();
    frame::read(stream, &mut text, 1..=MANIFEST_MAX_BYTES).map_err(BackupToolError::Stream)?;
    Manifest::parse(&text).map_err(|error| {
        let what = match error {
            ManifestError::Damaged(what) => what.to_owned(),
            ManifestError::Newer(version) => {
                format!("the server is newer (format {version}): use its `streamgate`")
            }
        };
        BackupToolError::Stream(io::Error::new(io::ErrorKind::InvalidData, what))
    })
}

/// Writes one file from the stream. Returns the checksum of its content.
fn write_file(
    stream: &mut dyn Read,
    disk: &RealDisk,
    listed: &BackupFile,
) -> Result<u32, BackupToolError> {
    let name = listed.name();
    let path = disk.path().join(&name);
    let io_error = |cause| BackupToolError::io("writing", &path, cause);
    let file = disk.create(&name).map_err(io_error)?;
    let (mut piece, mut sum, mut at, mut synced) = (Vec::new(), 0, 0, 0);
    while at < listed.content {
        let left = listed.content - at;
        let len = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        frame::read(stream, &mut piece, len..=len).map_err(BackupToolError::Stream)?;
        file.write_at(&piece, at).map_err(io_error)?;
        sum = crc32c::crc32c_append(sum, &piece);
        at += len as u64;
        if at - synced >= SYNC_BYTES {
            file.sync_data().map_err(io_error)?;
            synced = at;
        }
    }
    if at < listed.len {
        // The zeros are a hole: a backup takes no room for them.
        file.write_at(&[0], listed.len - 1).map_err(io_error)?;
    }
    file.sync_data().map_err(io_error)?;
    Ok(sum)
}

/// Writes a small file and syncs it.
pub(super) fn write_text(disk: &RealDisk, name: &str, text: &[u8]) -> io::Result<()> {
    let file = disk.create(name)?;
    file.write_at(text, 0)?;
    file.sync_data()
}

/// A backup under its temporary name; removed when dropped.
struct Unfinished {
    path: PathBuf,
    is_named: bool,
}

impl Unfinished {
    fn create(dir: &Path) -> Result<Self, BackupToolError> {
        let mut name = dir.as_os_str().to_owned();
        name.push(UNFINISHED);
        let path = PathBuf::from(name);
        check_free(dir, &path)?;
        DirBuilder::new()
            .mode(DIR_MODE)
            .create(&path)
            .map_err(|cause| match cause.kind() {
                io::ErrorKind::AlreadyExists => BackupToolError::Unfinished(path.clone()),
                _ => BackupToolError::io("making", &path, cause),
            })?;
        Ok(Self {
            path,
            is_named: false,
        })
    }

    /// Gives it its name, on disk.
    fn give_name(mut self, dir: &Path) -> Result<(), BackupToolError> {
        let io_error = |cause| BackupToolError::io("naming", dir, cause);
        if dir.symlink_metadata().is_ok() {
            return Err(BackupToolError::Exists(dir.to_owned()));
        }
        std::fs::rename(&self.path, dir).map_err(io_error)?;
        self.is_named = true;
        let parent = dir.parent().filter(|parent| *parent != Path::new(""));
        RealDisk::existing(parent.unwrap_or(Path::new(".")))
            .and_then(|parent| parent.sync_dir())
            .map_err(io_error)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_named {
            // The error that led here says more than one of this removal.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
