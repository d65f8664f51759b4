//! What is in a data directory, by the names and headers of its files.

use std::path::PathBuf;

use crate::disk::{Disk, DiskFile};
use crate::error::OpenError;
use crate::format::{FORMAT_VERSION, FileHeader, FileKind, HEADER_BYTES, HeaderError};
use crate::log::segment::TEMPORARY;
use crate::recovery::{damaged, segment_path};
use crate::table::SHARD_BITS;
use crate::table::hash::HashSeed;

/// A file whose header has been checked.
pub(crate) struct CheckedFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) header: FileHeader,
}

/// A segment whose header has been checked.
pub(crate) type SegmentFile = CheckedFile;

/// The files that a directory is recovered from, and those that are not needed.
pub(crate) struct Inventory {
    /// The newest snapshot.
    pub(crate) snapshot: Option<CheckedFile>,
    /// The segments behind it, without a gap, in order.
    pub(crate) segments: Vec<SegmentFile>,
    /// Files that had not been finished.
    temporary: Vec<String>,
    /// Files from before the newest snapshot.
    superfluous: Vec<String>,
}

/// The number of the first segment of a directory.
const FIRST_SEGMENT: u64 = 1;

impl Inventory {
    /// Looks at a directory. Other names than the store's are left alone.
    pub(crate) fn read(disk: &dyn Disk) -> Result<Self, OpenError> {
        let listed = disk
            .list()
            .map_err(|cause| OpenError::io("listing", disk.path(), cause))?;
        let mut files: Vec<(u64, FileKind, String)> = Vec::new();
        let mut temporary = Vec::new();
        for name in listed {
            if let Some((kind, number)) = FileKind::parse_name(&name) {
                files.push((number, kind, name));
            } else if is_temporary(&name) {
                temporary.push(name);
            }
        }
        files.sort();
        // Only the newest snapshot counts: it got its name when it was whole and on disk, and older
        // ones are there only if a crash came before they were removed.
        let newest = files
            .iter()
            .rev()
            .find(|(_, kind, _)| *kind == FileKind::Snapshot);
        let from = newest.map_or(FIRST_SEGMENT, |(number, ..)| *number);
        let snapshot = newest
            .map(|(number, kind, name)| open_checked(disk, *kind, *number, name))
            .transpose()?;
        let (mut segments, mut superfluous) = (Vec::new(), Vec::new());
        for (number, kind, name) in &files {
            if *number < from {
                superfluous.push(name.clone());
            } else if *kind == FileKind::Segment {
                segments.push(open_checked(disk, *kind, *number, name)?);
            }
        }
        let inventory = Self {
            snapshot,
            segments,
            temporary,
            superfluous,
        };
        inventory.check_complete(disk, from)?;
        Ok(inventory)
    }

    /// The seed of the directory; `None` for a new one.
    pub(crate) fn seed(&self) -> Option<HashSeed> {
        let all = self.snapshot.iter().chain(&self.segments);
        all.map(|file| file.header.seed).next()
    }

    /// Refuses a directory from which a file was taken away, or to which one was added.
    fn check_complete(&self, disk: &dyn Disk, from: u64) -> Result<(), OpenError> {
        let dir = disk.path();
        for (number, segment) in (from..).zip(&self.segments) {
            if segment.header.number != number {
                let path = segment_path(dir, number);
                return Err(damaged(
                    dir,
                    &path,
                    None,
                    "the file is missing; later ones are there",
                ));
            }
        }
        if self.snapshot.is_some() && self.segments.is_empty() {
            let path = segment_path(dir, from);
            return Err(damaged(
                dir,
                &path,
                None,
                "the file is missing; its snapshot is there",
            ));
        }
        for file in self.snapshot.iter().chain(&self.segments) {
            if Some(file.header.seed) != self.seed() {
                let what = "the file belongs to another data directory";
                return Err(damaged(dir, &file.path, Some(0), what));
            }
        }
        Ok(())
    }

    /// Removes what had not been finished and what the newest snapshot made superfluous.
    pub(crate) fn remove_superfluous(&self, disk: &dyn Disk) -> Result<(), OpenError> {
        for name in self.temporary.iter().chain(&self.superfluous) {
            let path = disk.path().join(name);
            disk.remove(name)
                .map_err(|cause| OpenError::io("removing", &path, cause))?;
        }
        Ok(())
    }
}

/// Whether a name is that of a file of the store that had not been finished.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.strip_suffix(TEMPORARY)
        .and_then(FileKind::parse_name)
        .is_some()
}

/// Opens a file and checks its header against its name and its length.
pub(crate) fn open_checked(
    disk: &dyn Disk,
    kind: FileKind,
    number: u64,
    name: &str,
) -> Result<CheckedFile, OpenError> {
    let path = disk.path().join(name);
    let damaged = |offset, what: &str| damaged(disk.path(), &path, Some(offset), what);
    let io_error = |cause| OpenError::io("reading", &path, cause);
    let file = disk.open(name).map_err(io_error)?;
    let len = file.len().map_err(io_error)?;
    if len < HEADER_BYTES as u64 {
        return Err(damaged(len, "the file ends within its header"));
    }
    let mut bytes = [0; HEADER_BYTES];
    file.read_at(&mut bytes, 0).map_err(io_error)?;
    let header = match FileHeader::decode(kind, &bytes) {
        Ok(header) => header,
        Err(HeaderError::Damaged(what)) => return Err(damaged(0, what)),
        Err(HeaderError::Newer(found)) => {
            return Err(OpenError::NewerFormat {
                path,
                found,
                known: FORMAT_VERSION,
            });
        }
    };
    if header.number != number {
        return Err(damaged(0, "the file has the name of another one"));
    }
    if len < header.capacity {
        // It had its full length on disk before it had its name.
        return Err(damaged(len, "the file has been cut off"));
    }
    if kind == FileKind::Snapshot && header.shard_bits != SHARD_BITS {
        return Err(damaged(0, "the number of shards is unknown"));
    }
    Ok(CheckedFile { path, file, header })
}
