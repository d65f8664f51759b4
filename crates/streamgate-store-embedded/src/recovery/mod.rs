//! Opening a data directory: reads it, repairs the end of the log, and grants a lease of grace.
//!
//! Nothing is guessed. A torn tail, which a crash leaves behind, is cut: under
//! [`DurabilityMode::Fsync`](crate::DurabilityMode::Fsync) it was never acknowledged, under the
//! others it is what they may lose. Everything else that is not as it was written is damage, and the
//! directory does not open. What was read is on disk before any call is answered from it.

mod tail;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_core::Timestamp;
use streamgate_core::codec::{self, CodecError};

use crate::backup;
use crate::disk::Disk;
use crate::error::{Damage, OpenError};
use crate::log::Lsn;
use crate::log::segment::Segment;
use crate::reader::{self, Contents, Files};
use crate::table::Table;
use crate::threads::{joined, workers};

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// How many users have a record.
    pub users: u64,
    /// How many sessions were recovered, each with a lease of grace.
    pub live_sessions: u64,
    /// How many records of the log were applied to the snapshot.
    pub log_records: u64,
    /// Bytes of a torn tail, which has been cut. Under
    /// [`DurabilityMode::Fsync`](crate::DurabilityMode::Fsync) it was never acknowledged.
    pub torn_bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// A recovered store.
pub(crate) struct Opened {
    pub(crate) table: Table,
    /// The segment that is written on.
    pub(crate) segment: Segment,
    /// The position of its first record.
    pub(crate) segment_first: Lsn,
    /// The number of the snapshot.
    pub(crate) snapshot: Option<u64>,
    /// Segments that are prepared behind it.
    pub(crate) prepared: VecDeque<Segment>,
    /// The number of the next segment to be made.
    pub(crate) next_number: u64,
    /// The position of the last record.
    pub(crate) last: Lsn,
    /// Bytes of log behind the snapshot.
    pub(crate) log_bytes: u64,
    pub(crate) recovered: Recovered,
}

/// Opens a directory; one without files of the store becomes a new one.
pub(crate) fn open(
    disk: &Arc<dyn Disk>,
    segment_bytes: u64,
    now: Timestamp,
) -> Result<Opened, OpenError> {
    let watch = Stopwatch::start();
    let disk = &**disk;
    backup::refuse(disk)?;
    let mut refuse = |damage| Err(OpenError::damaged(disk.path(), damage));
    let Contents {
        files, table, log, ..
    } = reader::read(disk, &mut refuse)?;
    check_volume(disk, segment_bytes, files.seed.is_none())?;
    // From here on nothing is refused any more, so from here on files may change.
    let torn_bytes = match &log.end.torn {
        Some(torn) => tail::cut(disk, &files.segments, torn)?,
        None => 0,
    };
    if let Some(from) = log.end.unproven_from {
        tail::write_again(&files.segments, &log, from)?;
    }
    // The same for names: the process may have died between a rename and its sync, and older files
    // must not go before the newer one has its name in the directory on disk.
    disk.sync_dir()
        .map_err(|cause| OpenError::io("syncing", disk.path(), cause))?;
    // After the replay, because a delta may bring a session back with the lease that it had.
    let live_sessions = grant_grace(&table, now).map_err(|error| {
        Damage::of_record(error, disk.path(), None).map_or_else(
            |newer| newer,
            |damage| OpenError::damaged(disk.path(), damage),
        )
    })?;
    remove_superfluous(disk, &files)?;
    let snapshot = files.snapshot.map(|file| file.number);
    let written = tail::segments(disk, files.segments, &log, table.seed(), segment_bytes)?;
    let recovered = Recovered {
        users: table.records(),
        live_sessions,
        log_records: log.records,
        torn_bytes,
        took: watch.elapsed(),
    };
    Ok(Opened {
        table,
        segment: written.segment,
        segment_first: written.first,
        snapshot,
        prepared: written.prepared,
        next_number: written.next_number,
        last: log.end.last,
        log_bytes: log.bytes,
        recovered,
    })
}

/// The least size of a volume, in segments: two are always there, a third while a snapshot is
/// written, and the snapshot itself.
const SEGMENTS_MIN: u64 = 4;

/// Refuses a new directory on a volume that is too small. An existing one is opened.
fn check_volume(disk: &dyn Disk, segment_bytes: u64, is_new: bool) -> Result<(), OpenError> {
    let Ok(Some(space)) = disk.space() else {
        return Ok(());
    };
    let needed = segment_bytes.saturating_mul(SEGMENTS_MIN);
    if space.total >= needed {
        return Ok(());
    }
    if is_new {
        return Err(OpenError::VolumeTooSmall {
            dir: disk.path().to_owned(),
            total: space.total,
            needed,
        });
    }
    tracing::warn!(
        dir = %disk.path().display(),
        volume_mib = space.total >> 20,
        needed_mib = needed >> 20,
        "the volume is too small for the log and a snapshot: starts will be refused while it is \
         full"
    );
    Ok(())
}

/// Gives every live session one lease from now, on all cores, and counts them.
fn grant_grace(table: &Table, now: Timestamp) -> Result<u64, CodecError> {
    let share = table.shards().len().div_ceil(workers());
    std::thread::scope(|scope| {
        let threads: Vec<_> = table
            .shards()
            .chunks(share)
            .map(|shards| {
                scope.spawn(move || {
                    let mut live = 0;
                    for shard in shards {
                        for entry in &mut shard.lock().entries {
                            let graced = codec::grant_grace(entry.record(), now)?;
                            entry.set_record(&graced.record);
                            live += graced.live as u64;
                        }
                    }
                    Ok(live)
                })
            })
            .collect();
        threads.into_iter().map(joined).sum()
    })
}

/// Removes what a crash left unfinished and what the newest snapshot made superfluous.
fn remove_superfluous(disk: &dyn Disk, files: &Files) -> Result<(), OpenError> {
    for name in files.unfinished.iter().chain(files.superfluous()) {
        let path = disk.path().join(name);
        disk.remove(name)
            .map_err(|cause| OpenError::io("removing", &path, cause))?;
    }
    Ok(())
}
