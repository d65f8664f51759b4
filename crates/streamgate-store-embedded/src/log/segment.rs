//! A segment: one file of the log, zeroed ahead and then filled batch by batch.

use crate::disk::{Disk, DiskFile, FileId};
use crate::fatal::{Doing, FatalError, is_full};
use crate::format::{FileHeader, FileKind, HEADER_BYTES};
use crate::log::Lsn;
use crate::log::frame::{BATCH_HEADER_BYTES, BatchBuf};
use crate::table::hash::HashSeed;

/// The suffix of a file that is not finished yet.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Zeros are written and synced in pieces of this size, so that a concurrent sync of the commit
/// writer has few of them to flush.
const ZEROS_BYTES: usize = 1 << 20;

/// The length of a mark.
const MARK_BYTES: u64 = BATCH_HEADER_BYTES as u64;

/// Upper bound of the zeros behind the records of a batch.
const PADDING_MAX_BYTES: u64 = 8;

/// A segment that is being written.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) file: Box<dyn DiskFile>,
    /// Which file it is, where the disk can tell.
    pub(crate) id: Option<FileId>,
    /// Where the next batch goes.
    pub(crate) offset: u64,
    /// How far the file was zeroed ahead.
    pub(crate) capacity: u64,
    pub(crate) salt: u32,
}

impl Segment {
    /// Makes a segment: zeroed and synced first, named last.
    pub(crate) fn create(
        disk: &dyn Disk,
        number: u64,
        capacity: u64,
        seed: HashSeed,
    ) -> Result<Self, FatalError> {
        let header = FileHeader {
            kind: FileKind::Segment,
            number,
            capacity,
            seed,
            log_from: 0,
            shard_bits: 0,
        };
        let name = FileKind::Segment.file_name(number);
        let temporary = format!("{name}{TEMPORARY}");
        let making = || format!("making {name}");
        // A named segment has its full length and its header on disk. So recovery can tell a file
        // that was cut off from one that a crash left unfinished.
        let make = || {
            let file = disk.create(&temporary)?;
            write_zeros(&*file, 0, capacity)?;
            file.write_at(&header.encode(), 0)?;
            file.sync_data()?;
            disk.rename(&temporary, &name)?;
            Ok(file)
        };
        let file = make()
            .inspect_err(|error: &std::io::Error| {
                if is_full(error) {
                    // It takes room from others. If it cannot be removed, the next try truncates
                    // it.
                    let _ = disk.remove(&temporary);
                }
            })
            .doing(making)?;
        disk.sync_dir().doing(making)?;
        Ok(Self {
            number,
            id: file.id().doing(making)?,
            file,
            offset: HEADER_BYTES as u64,
            capacity,
            salt: header.salt(),
        })
    }

    /// Whether a batch of `len` bytes fits, and a mark behind it that proves it. The first one always
    /// does, however long.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.offset == HEADER_BYTES as u64 || len as u64 <= self.left()
    }

    /// Whether a mark fits, which is a batch without records.
    pub(crate) fn has_room_for_mark(&self) -> bool {
        self.offset + MARK_BYTES <= self.capacity
    }

    /// How many bytes of batches may still be written.
    pub(crate) fn left(&self) -> u64 {
        self.capacity
            .saturating_sub(self.offset + PADDING_MAX_BYTES + MARK_BYTES)
    }

    /// Writes a batch. A copy-on-write file system can be full although the segment was zeroed.
    /// Then
    /// `wait` waits and returns whether to write again; that is safe, nothing was acknowledged.
    pub(crate) fn write(
        &mut self,
        batch: &mut BatchBuf,
        first: Lsn,
        synced: Lsn,
        wait: impl Fn() -> bool,
    ) -> Result<usize, FatalError> {
        let bytes = batch.seal(self.salt, first, synced);
        loop {
            match self.file.write_at(bytes, self.offset) {
                Err(cause) if is_full(&cause) && wait() => {}
                done => break done.doing(|| format!("writing to {}", self.name()))?,
            }
        }
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }

    /// Returns once everything written is on disk.
    pub(crate) fn sync(&self) -> Result<(), FatalError> {
        self.file
            .sync_data()
            .doing(|| format!("syncing {}", self.name()))
    }

    fn name(&self) -> String {
        FileKind::Segment.file_name(self.number)
    }
}

/// Writes zeros from `from` to `to` and syncs them.
pub(crate) fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> std::io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES];
    let mut at = from;
    while at < to {
        let len = usize::try_from(to - at).map_or(ZEROS_BYTES, |left| left.min(ZEROS_BYTES));
        file.write_at(&zeros[..len], at)?;
        file.sync_data()?;
        at += len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_mark_fits_behind_the_last_batch_of_a_segment_whatever_the_lengths() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::create(dir.path()).unwrap();
        for len in (0..64).step_by(8) {
            let mut segment = Segment::create(&disk, 1, 1 << 10, HashSeed([1, 2])).unwrap();
            for first in 1.. {
                let mut batch = BatchBuf::new();
                batch.push(b"key", &vec![7; len]);
                if !segment.has_room(batch.len()) {
                    break;
                }
                segment
                    .write(&mut batch, first, first - 1, || false)
                    .unwrap();
            }
            assert!(segment.has_room_for_mark(), "{len}");
        }
    }
}
