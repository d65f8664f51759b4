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
    /// The newest snapshot with a sound header; any one if there is none.
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

/// A file that is needed. Its header has been checked.
pub(crate) struct CheckedFile {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn DiskFile>,
    /// `None` if it is damaged.
    pub(crate) header: Option<FileHeader>,
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
            let stem = name.strip_suffix(TEMPORARY);
            if stem.and_then(FileKind::parse_name).is_some() {
                unfinished.push(name);
            } else if let Some((kind, number)) = FileKind::parse_name(&name) {
                named.push((number, kind, name));
            }
        }
        named.sort();
        // A snapshot gets its name when it is whole and on disk, so the newest one counts. An older
        // one is there only if a crash came before it was removed.
        let (mut snapshot, mut needed_from, mut log_from) = (None, FIRST_SEGMENT, Some(1));
        let is_snapshot = |(_, kind, _): &&(u64, FileKind, String)| *kind == FileKind::Snapshot;
        for (number, kind, name) in named.iter().rev().filter(is_snapshot) {
            let found = self.open(*kind, *number, name)?;
            log_from = found.header.map(|header| header.log_from);
            needed_from = *number;
            snapshot = Some(found);
            if log_from.is_some() {
                break;
            }
        }
        let mut segments = Vec::new();
        for (number, kind, name) in &named {
            if *number >= needed_from && *kind == FileKind::Segment {
                segments.push(self.open(*kind, *number, name)?);
            }
        }
        self.check_complete(needed_from, &segments, snapshot.is_some())?;
        let headers = || snapshot.iter().chain(&segments);
        let seed = headers()
            .find_map(|file| file.header)
            .map(|header| header.seed);
        for file in headers() {
            if file.header.is_some_and(|header| Some(header.seed) != seed) {
                self.damaged(&file.path, 0, "the file belongs to another data directory")?;
            }
        }
        Ok(Files {
            snapshot,
            segments,
            seed,
            log_from,
            needed_from,
            named,
            unfinished,
        })
    }

    /// Opens a file and checks its header against its name and its length.
    fn open(&mut self, kind: FileKind, number: u64, name: &str) -> Result<CheckedFile, OpenError> {
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
        Ok(CheckedFile {
            number,
            path,
            file,
            header,
        })
    }

    /// Checks that no file was taken away.
    fn check_complete(
        &mut self,
        from: u64,
        segments: &[CheckedFile],
        has_snapshot: bool,
    ) -> Result<(), OpenError> {
        let last = segments.last().map(|file| file.number);
        let what = match last {
            Some(_) => "the file is missing; later ones are there",
            None => "the file is missing; its snapshot is there",
        };
        let Some(to) = last.or(has_snapshot.then_some(from)) else {
            return Ok(());
        };
        let mut found = segments.iter().map(|file| file.number).peekable();
        for number in from..=to {
            if found.next_if_eq(&number).is_none() {
                let name = FileKind::Segment.file_name(number);
                self.damaged(&self.disk.path().join(name), None, what)?;
            }
        }
        Ok(())
    }
}
