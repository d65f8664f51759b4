//! The end of the log: cuts a torn tail, rewrites what may not be on disk, and finds the place
//! where the writer goes on.

use std::collections::VecDeque;

use crate::disk::Disk;
use crate::error::OpenError;
use crate::format::{FileKind, HEADER_BYTES};
use crate::log::Lsn;
use crate::log::segment::{Segment, write_zeros};
use crate::reader::{CheckedFile, LogPosition, Replayed, Torn};
use crate::table::hash::HashSeed;

/// Overwrites a torn tail with zeros, so that no later reader finds parts of it behind newer
/// batches. Returns how many bytes were not zero already.
pub(super) fn cut(
    disk: &dyn Disk,
    segments: &[CheckedFile],
    torn: &Torn,
) -> Result<u64, OpenError> {
    let mut torn_bytes = 0;
    let behind = segments
        .iter()
        .filter(|segment| segment.number >= torn.at.segment);
    for segment in behind {
        let bytes = segment.read_all()?;
        let from = if segment.number == torn.at.segment {
            usize::try_from(torn.at.offset).expect("an offset in a file that was read")
        } else {
            HEADER_BYTES
        };
        // The rest of a segment is zeros already.
        let Some(last) = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .filter(|last| *last >= from)
        else {
            continue;
        };
        torn_bytes += (last + 1 - from) as u64;
        write_zeros(&*segment.file, from as u64, last as u64 + 1)
            .map_err(|cause| OpenError::io("cutting the torn tail of", &segment.path, cause))?;
    }
    let at = torn.at.offset;
    let name = FileKind::Segment.file_name(torn.at.segment);
    tracing::warn!(
        file = %disk.path().join(name).display(), at, torn_bytes, what = torn.what,
        "the end of the log cannot be read and was cut. That is normal after a crash or a power \
         loss. With store.durability = fsync nothing acknowledged was in it, unless the disk has \
         damaged what was written in the last second. With os and none, what was acknowledged \
         since the last sync of the log may have been in it"
    );
    Ok(torn_bytes)
}

/// Rewrites and syncs the part of the log that is not proven to be on disk, from `from` on.
///
/// A process that died, or that a failed sync ended, leaves batches in the page cache. They are
/// readable, so answers will depend on them and later batches will say that they were on disk. A
/// sync alone is not enough: a kernel that could not write a page marks it clean.
pub(super) fn write_again(
    segments: &[CheckedFile],
    replayed: &Replayed,
    from: LogPosition,
) -> Result<(), OpenError> {
    let behind = segments
        .iter()
        .zip(&replayed.ends)
        .filter(|(segment, _)| segment.number >= from.segment);
    for (segment, end) in behind {
        let at = if segment.number == from.segment {
            from.offset
        } else {
            HEADER_BYTES as u64
        };
        let len = usize::try_from(end - at).expect("a part of a file that was read");
        let again = || {
            let mut bytes = vec![0; len];
            segment.file.read_at(&mut bytes, at)?;
            segment.file.write_at(&bytes, at)?;
            segment.file.sync_data()
        };
        if len > 0 {
            again().map_err(|cause| OpenError::io("writing the tail of", &segment.path, cause))?;
        }
    }
    Ok(())
}

/// Where the writer goes on.
pub(super) struct Written {
    /// The segment to write on.
    pub(super) segment: Segment,
    /// The position of its first record.
    pub(super) first: Lsn,
    /// The prepared segments behind it.
    pub(super) prepared: VecDeque<Segment>,
    /// The number of the next one.
    pub(super) next_number: u64,
}

/// Finds where the writer goes on; creates the first segment of a new directory.
pub(super) fn segments(
    disk: &dyn Disk,
    files: Vec<CheckedFile>,
    replayed: &Replayed,
    seed: HashSeed,
    segment_bytes: u64,
) -> Result<Written, OpenError> {
    // Segments behind the last one with records were prepared and not used.
    let used = replayed
        .ends
        .iter()
        .rposition(|end| *end > HEADER_BYTES as u64)
        .unwrap_or(0);
    let segment = |(file, end): (CheckedFile, &u64)| {
        let header = file.header.expect("recovery refuses a damaged header");
        let id = file.file.id();
        Ok(Segment {
            number: file.number,
            id: id.map_err(|cause| OpenError::io("looking at", &file.path, cause))?,
            offset: *end,
            capacity: header.capacity,
            salt: header.salt(),
            file: file.file,
        })
    };
    let mut segments = files
        .into_iter()
        .zip(&replayed.ends)
        .skip(used)
        .map(segment)
        .collect::<Result<VecDeque<Segment>, OpenError>>()?;
    // Without a segment the directory is new: recovery has refused every other one.
    let Some(last) = segments.back() else {
        return Ok(Written {
            segment: Segment::create(disk, 1, segment_bytes, seed)?,
            first: 1,
            prepared: VecDeque::new(),
            next_number: 2,
        });
    };
    let next_number = last.number + 1;
    Ok(Written {
        segment: segments.pop_front().expect("there is a last one"),
        first: replayed.begins[used],
        prepared: segments,
        next_number,
    })
}
