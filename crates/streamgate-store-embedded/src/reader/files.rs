//! The files of a data directory, by their names and headers.

use std::io;
use std::path::PathBuf;

use super::Reader;
use crate::disk::DiskFile;
use crate::error::OpenError;
use crate::format::{FORMAT_VERSION, FileHeader, FileKind, HEADER_BYTES, HeaderError};
use crate::log::Lsn;
use crate::log::segment::TEMPORARY;
use crate::table::SHARD_BITS;
use crate::table::hash::HashSeed;

/// The number of the first segment of a directory.
const FIRST_SEGMENT: u64 = 1;

/// The files that a directory is recovered from, and those that are not needed.
pub(crate) struct Files {
    /// The newest snapshot. If its header is damaged, the newest one with a sound header.
    pub(crate) snapshot: Option<CheckedFile>,
    /// The segments behind it, in order.
    pub(crate) segments: Vec<CheckedFile>,
    /// The hash seed of the directory; `None` in a new one.
    pub(crate) seed: Option<HashSeed>,
    /// The position of the first record behind the snapshot; `None` if the snapshot is lost.
    pub(crate) log_from: Option<Lsn>,
    /// The number of the first segment that is needed.
    pub(crate) needed_from: u64,
    /// Number, kind and name of every finished file of the store.
    pub(crate) named: Vec<(u64, FileKind, String)>,
    /// The names of files that a crash left unfinished.
    pub(crate) unfinished: Vec<String>,
}

/// A file and its checked header.
pub(crate) struct CheckedFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn DiskFile>,
    /// Derived from the name if the header of a segment is damaged.
    pub(crate) header: FileHeader,
}

/// A file as it was found.
struct Found {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    /// `None` if it is damaged.
    header: Option<FileHeader>,
}

impl Found {
    fn with_header(self, header: FileHeader) -> CheckedFile {
        CheckedFile {
            path: self.path,
            file: self.file,
            header,
        }
    }
}

impl CheckedFile {
    /// The whole content.
    pub(crate) fn read_all(&self) -> Result<Vec<u8>, OpenError> {
        read_start(&*self.file, u64::MAX)
            .map_err(|cause| OpenError::io("reading", &self.path, cause))
    }
}

/// The first bytes of a file, `max` at most.
fn read_start(file: &dyn DiskFile, max: u64) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?.min(max)).expect("a file fits into memory");
    let mut bytes = vec![0; len];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

impl Files {
    /// The names of finished files from before the snapshot.
    pub(crate) fn superfluous(&self) -> impl Iterator<Item = &String> {
        let named = self.named.iter();
        named.filter_map(|(number, _, name)| (*number < self.needed_from).then_some(name))
    }
}

impl Reader<'_> {
    /// Lists the directory and checks the header of every file that is needed. Files with names
    /// that are not the store's are ignored.
    pub(super) fn files(&mut self) -> Result<Files, OpenError> {
        let listed = self
            .disk
            .list()
            .map_err(|cause| OpenError::io("listing", self.disk.path(), cause))?;
        let (mut named, mut unfinished) = (Vec::new(), Vec::new());
        for name in listed {
            if let Some((kind, number)) = FileKind::parse_name(&name) {
                named.push((number, kind, name));
            } else if name
                .strip_suffix(TEMPORARY)
                .and_then(FileKind::parse_name)
                .is_some()
            {
                unfinished.push(name);
            }
        }
        named.sort();
        let (needed_from, snapshot) = self.newest_snapshot(&named)?;
        let mut found = Vec::new();
        for (number, kind, name) in &named {
            if *number >= needed_from && *kind == FileKind::Segment {
                found.push((*number, self.open(*kind, *number, name)?));
            }
        }
        let has_snapshot = named.iter().any(|(_, kind, _)| *kind == FileKind::Snapshot);
        self.check_complete(needed_from, &found, has_snapshot)?;
        let snapshot_header = snapshot.as_ref().map(|file| file.header);
        let headers = found.iter().filter_map(|(_, found)| found.header);
        let seed = snapshot_header.into_iter().chain(headers).next();
        let seed = seed.map(|header| header.seed);
        let segments = found.into_iter().map(|(number, found)| {
            let header = found.header.unwrap_or(FileHeader {
                kind: FileKind::Segment,
                number,
                capacity: 0,
                seed: seed.unwrap_or(HashSeed([0; 2])),
                log_from: 0,
                shard_bits: 0,
            });
            found.with_header(header)
        });
        let files = Files {
            segments: segments.collect(),
            seed,
            log_from: if has_snapshot {
                snapshot_header.map(|header| header.log_from)
            } else {
                Some(1)
            },
            snapshot,
            needed_from,
            named,
            unfinished,
        };
        for file in files.snapshot.iter().chain(&files.segments) {
            if Some(file.header.seed) != seed {
                self.damaged(&file.path, 0, "the file belongs to another data directory")?;
            }
        }
        Ok(files)
    }

    /// The snapshot to begin with, and the number of the first segment behind it.
    fn newest_snapshot(
        &mut self,
        named: &[(u64, FileKind, String)],
    ) -> Result<(u64, Option<CheckedFile>), OpenError> {
        // A snapshot gets its name when it is whole and on disk. An older one is there only if a
        // crash came before it was removed.
        let mut newest = None;
        for (number, kind, name) in named.iter().rev() {
            if *kind != FileKind::Snapshot {
                continue;
            }
            newest.get_or_insert(*number);
            let found = self.open(*kind, *number, name)?;
            if let Some(header) = found.header {
                return Ok((*number, Some(found.with_header(header))));
            }
        }
        Ok((newest.unwrap_or(FIRST_SEGMENT), None))
    }

    /// Opens a file and checks its header against its name and its length.
    fn open(&mut self, kind: FileKind, number: u64, name: &str) -> Result<Found, OpenError> {
        let path = self.disk.path().join(name);
        let io_error = |cause| OpenError::io("reading", &path, cause);
        let file = self.disk.open(name).map_err(io_error)?;
        let len = file.len().map_err(io_error)?;
        let bytes = read_start(&*file, HEADER_BYTES as u64).map_err(io_error)?;
        let mut header = None;
        match FileHeader::decode(kind, &bytes) {
            Err(HeaderError::Newer(found)) => {
                let known = FORMAT_VERSION;
                return Err(OpenError::NewerFormat { path, found, known });
            }
            Err(HeaderError::Damaged(what)) => {
                let offset = if len < HEADER_BYTES as u64 { len } else { 0 };
                self.damaged(&path, offset, what)?;
            }
            Ok(read) if read.number != number => {
                self.damaged(&path, 0, "the file has the name of another one")?;
            }
            Ok(read) if kind == FileKind::Snapshot && read.shard_bits != SHARD_BITS => {
                self.damaged(&path, 0, "the number of shards is unknown")?;
            }
            Ok(read) => {
                header = Some(read);
                // The file had its full length on disk before it had its name.
                if len < read.capacity {
                    self.damaged(&path, len, "the file has been cut off")?;
                }
            }
        }
        Ok(Found { path, file, header })
    }

    /// Checks that no file was taken away.
    fn check_complete(
        &mut self,
        from: u64,
        segments: &[(u64, Found)],
        has_snapshot: bool,
    ) -> Result<(), OpenError> {
        let last = segments.last().map(|(number, _)| *number);
        let what = match last {
            Some(_) => "the file is missing; later ones are there",
            None => "the file is missing; its snapshot is there",
        };
        let Some(to) = last.or(has_snapshot.then_some(from)) else {
            return Ok(());
        };
        let mut found = segments.iter().map(|(number, _)| *number).peekable();
        for number in from..=to {
            if found.next_if_eq(&number).is_none() {
                let name = FileKind::Segment.file_name(number);
                self.damaged(&self.disk.path().join(name), None, what)?;
            }
        }
        Ok(())
    }
}
