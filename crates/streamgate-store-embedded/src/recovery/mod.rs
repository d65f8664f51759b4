//! Opening a data directory: the newest snapshot, then the log behind it, then a lease of grace.
//!
//! Nothing is guessed. A torn tail, which a crash leaves behind, was never acknowledged and is cut.
//! Everything else that is not as it was written is damage, and the directory does not open. What
//! was read is on disk before anybody is answered from it.

pub(crate) mod inventory;
pub(crate) mod judge;
mod load;
mod replay;
mod tail;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_core::Timestamp;
use streamgate_core::codec::{self, CodecError};

use crate::disk::Disk;
use crate::error::{Damage, OpenError};
use crate::format::FileKind;
use crate::log::Lsn;
use crate::log::segment::Segment;
use crate::recovery::inventory::{Inventory, SegmentFile};
use crate::recovery::judge::Judge;
use crate::snapshot::read::SnapshotReader;
use crate::table::Table;
use crate::table::hash::HashSeed;

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// How many users have a record.
    pub users: u64,
    /// How many sessions came back, each with a lease of grace.
    pub live_sessions: u64,
    /// How many records of the log were applied to the snapshot.
    pub log_records: u64,
    /// Bytes of a torn tail, which was never acknowledged and has been cut.
    pub torn_bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// A store that has come back.
pub(crate) struct Opened {
    pub(crate) table: Table,
    /// The segment that is written on.
    pub(crate) segment: Segment,
    /// The position of its first record.
    pub(crate) segment_first: Lsn,
    /// The number of the snapshot.
    pub(crate) snapshot: Option<u64>,
    /// Segments that are ready for use behind it.
    pub(crate) ready: VecDeque<Segment>,
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
    let files = Inventory::read(disk)?;
    check_volume(disk, segment_bytes, files.seed().is_none())?;
    let seed = files.seed().unwrap_or_else(HashSeed::random);
    let table = Table::new(seed);
    let mut judge = Judge::new(1);
    let (mut copied_at, mut proven) = (Vec::new(), 0);
    if let Some(snapshot) = &files.snapshot {
        let mut reader = SnapshotReader::new(&*snapshot.file, &snapshot.header)
            .map_err(|cause| OpenError::io("reading", &snapshot.path, cause))?;
        let end = load::load(
            &mut reader,
            &table,
            &mut copied_at,
            disk.path(),
            &snapshot.path,
        )?;
        judge = Judge::new(snapshot.header.log_from);
        proven = end.position;
    }
    let replayed = replay::replay(disk, &files.segments, &table, &copied_at, &mut judge)?;
    // From here on nothing is refused any more, so from here on files may change.
    let (last, torn) = judge
        .finish(proven)
        .map_err(|error| error.at(disk.path()))?;
    let torn_bytes = match torn {
        Some(torn) => tail::cut(disk, &files.segments, &torn)?,
        None => 0,
    };
    if let Some(from) = replayed.unproven_from(proven) {
        tail::write_again(&files.segments, &replayed, from)?;
    }
    // The same for names: the process may have died between a rename and its sync, and older files
    // must not go before the newer one has its name for good.
    disk.sync_dir()
        .map_err(|cause| OpenError::io("syncing", disk.path(), cause))?;
    // After the replay, because a delta may bring a session back with the lease that it had.
    let live_sessions = grant_grace(&table, now)
        .map_err(|error| codec_damage(error, disk.path(), disk.path(), None))?;
    files.remove_superfluous(disk)?;
    let snapshot = files.snapshot.map(|file| file.header.number);
    let written = tail::segments(disk, files.segments, &replayed, seed, segment_bytes)?;
    let recovered = Recovered {
        users: table.records(),
        live_sessions,
        log_records: replayed.records,
        torn_bytes,
        took: watch.elapsed(),
    };
    Ok(Opened {
        table,
        segment: written.segment,
        segment_first: written.first,
        snapshot,
        ready: written.ready,
        next_number: written.next_number,
        last,
        log_bytes: replayed.bytes,
        recovered,
    })
}

/// A volume must have room for so many segments: two that are there always, a third while a snapshot
/// is written, and the snapshot.
const SEGMENTS_MIN: u64 = 4;

/// Refuses a new directory on a volume that is too small. One that is there already is opened.
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
        "the volume is too small for the log and a snapshot: starts will be refused while it is full"
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

/// How many threads work on what a restart has to read.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8))
}

/// The result of a thread; its panic goes on in this one.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Names a place of damage in a file of the store.
pub(crate) fn damaged(
    dir: &Path,
    path: &Path,
    offset: Option<u64>,
    what: impl Into<String>,
) -> OpenError {
    OpenError::Damaged {
        dir: dir.to_owned(),
        damage: Damage {
            path: path.to_owned(),
            offset,
            what: what.into(),
        },
    }
}

/// A record or delta that cannot be read although its checksum is right.
pub(crate) fn codec_damage(
    error: CodecError,
    dir: &Path,
    path: &Path,
    offset: Option<u64>,
) -> OpenError {
    match error {
        CodecError::NewerVersion(found) => OpenError::NewerFormat {
            path: path.to_owned(),
            found: u32::from(found),
            known: u32::from(codec::NEWEST),
        },
        error => damaged(
            dir,
            path,
            offset,
            format!("a record cannot be read: {error}"),
        ),
    }
}

/// The bytes of a segment.
pub(crate) fn read_segment(segment: &SegmentFile) -> Result<Vec<u8>, OpenError> {
    let read = || {
        let len = usize::try_from(segment.file.len()?).expect("a file fits into memory");
        let mut bytes = vec![0; len];
        segment.file.read_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    read().map_err(|cause| OpenError::io("reading", &segment.path, cause))
}

/// The path of a segment, for messages.
pub(crate) fn segment_path(dir: &Path, number: u64) -> std::path::PathBuf {
    dir.join(FileKind::Segment.file_name(number))
}
