//! Applies the log to the table, on all cores.
//!
//! One thread reads and judges; the others apply, each the records of its own share of the shards.
//! So the records of a user are applied by one thread, in order.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use streamgate_core::codec;

use crate::disk::Disk;
use crate::error::OpenError;
use crate::format::HEADER_BYTES;
use crate::log::Lsn;
use crate::log::frame::{Batch, pieces};
use crate::recovery::inventory::SegmentFile;
use crate::recovery::judge::{Judge, Spot};
use crate::recovery::{codec_damage, damaged, joined, read_segment, workers};
use crate::table::{Table, shard_index};

/// What was found in the log.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// Records that were in batches that count.
    pub(super) records: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// For each segment, where its last batch that counts ends.
    pub(super) ends: Vec<u64>,
    /// And which position its first record has, or would have.
    pub(super) begins: Vec<Lsn>,
    /// Batches that count, of which no later one says that they had been on disk.
    unproven: VecDeque<Unproven>,
}

/// A batch that was read, and may be in the cache of the operating system only.
#[derive(Debug)]
struct Unproven {
    at: Spot,
    /// It is on disk where everything up to here is.
    through: Lsn,
}

impl Replayed {
    /// From where on nothing says that the log is on disk; a snapshot says it up to `proven`.
    pub(super) fn unproven_from(&self, proven: Lsn) -> Option<Spot> {
        let first = self.unproven.iter().find(|batch| batch.through > proven);
        first.map(|batch| batch.at)
    }

    /// Counts a batch.
    fn count(&mut self, segment: u64, batch: &Batch) {
        self.records += u64::from(batch.records);
        let proven = |unproven: &Unproven| unproven.through <= batch.synced;
        while self.unproven.front().is_some_and(proven) {
            self.unproven.pop_front();
        }
        self.unproven.push_back(Unproven {
            at: Spot {
                segment,
                offset: batch.offset as u64,
            },
            // A mark has no record; it is on disk with the next one.
            through: batch.first.max(batch.next() - 1),
        });
    }
}

/// A segment and those of its batches that count.
struct Chunk {
    path: PathBuf,
    bytes: Vec<u8>,
    batches: Vec<Batch>,
}

/// Segments that wait for the workers.
const AHEAD: usize = 1;

/// Applies all records behind the positions at which the shards were copied.
pub(super) fn replay(
    disk: &dyn Disk,
    segments: &[SegmentFile],
    table: &Table,
    copied_at: &[Lsn],
    judge: &mut Judge,
) -> Result<Replayed, OpenError> {
    std::thread::scope(|scope| {
        let count = workers();
        let (senders, threads): (Vec<_>, Vec<_>) = (0..count)
            .map(|worker| {
                let (sender, chunks) = sync_channel::<Arc<Chunk>>(AHEAD);
                let work = Worker {
                    disk,
                    table,
                    copied_at,
                    mine: worker,
                    of: count,
                };
                (sender, scope.spawn(move || work.apply_all(&chunks)))
            })
            .unzip();
        let mut replayed = Replayed::default();
        let mut read = Ok(());
        for segment in segments {
            match chunk(disk, segment, judge, &mut replayed) {
                Ok(chunk) => {
                    let chunk = Arc::new(chunk);
                    for sender in &senders {
                        // A worker that ended says why when it is joined.
                        let _ = sender.send(Arc::clone(&chunk));
                    }
                }
                Err(error) => {
                    read = Err(error);
                    break;
                }
            }
        }
        drop(senders);
        let applied: Vec<Result<(), OpenError>> = threads.into_iter().map(joined).collect();
        read?;
        applied.into_iter().collect::<Result<(), OpenError>>()?;
        Ok(replayed)
    })
}

/// Reads one segment and judges its pieces.
fn chunk(
    disk: &dyn Disk,
    segment: &SegmentFile,
    judge: &mut Judge,
    replayed: &mut Replayed,
) -> Result<Chunk, OpenError> {
    let bytes = read_segment(segment)?;
    replayed.begins.push(judge.next());
    let mut batches = Vec::new();
    for piece in pieces(&bytes, HEADER_BYTES, segment.header.salt()) {
        let judged = judge.take(segment.header.number, piece);
        if let Some(batch) = judged.map_err(|error| error.at(disk.path()))? {
            replayed.count(segment.header.number, &batch);
            batches.push(batch);
        }
    }
    let end = batches.last().map_or(HEADER_BYTES, Batch::end) as u64;
    replayed.ends.push(end);
    replayed.bytes += end - HEADER_BYTES as u64;
    Ok(Chunk {
        path: segment.path.clone(),
        bytes,
        batches,
    })
}

/// Applies the records of its share of the shards.
struct Worker<'a> {
    disk: &'a dyn Disk,
    table: &'a Table,
    /// For each shard, the position that its copy in the snapshot contains.
    copied_at: &'a [Lsn],
    /// Its number, and how many there are.
    mine: usize,
    of: usize,
}

impl Worker<'_> {
    /// Applies all segments, in order.
    fn apply_all(&self, chunks: &Receiver<Arc<Chunk>>) -> Result<(), OpenError> {
        for chunk in chunks {
            for batch in &chunk.batches {
                self.apply(&chunk, batch)?;
            }
        }
        Ok(())
    }

    /// Applies one batch.
    fn apply(&self, chunk: &Chunk, batch: &Batch) -> Result<(), OpenError> {
        let (dir, offset) = (self.disk.path(), Some(batch.offset as u64));
        for record in batch.records(&chunk.bytes) {
            let (lsn, key, delta) =
                record.map_err(|what| damaged(dir, &chunk.path, offset, what))?;
            let hash = self.table.hash(key);
            let shard = shard_index(hash);
            // Deltas are not to be applied twice, and a user is always with the same worker.
            let copied = self
                .copied_at
                .get(shard)
                .is_some_and(|position| lsn <= *position);
            if shard % self.of != self.mine || copied {
                continue;
            }
            self.table
                .update(hash, key, |record| codec::apply_delta(record, delta))
                .map_err(|error| codec_damage(error, dir, &chunk.path, offset))?;
        }
        Ok(())
    }
}
