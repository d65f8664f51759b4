//! Applies the log to the table, on all cores.
//!
//! One thread reads and judges; the others apply, each the records of its own share of the shards.
//! So the records of a user are applied by one thread, in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use streamgate_core::codec;

use super::verdict::{Batches, LogEnd, TailVerdict};
use super::{CheckedFile, Files, Reader};
use crate::error::{Damage, OpenError};
use crate::format::{FileKind, HEADER_BYTES, salt};
use crate::log::Lsn;
use crate::log::frame::{Batch, Piece, pieces};
use crate::table::hash::HashSeed;
use crate::table::{Table, shard_index};
use crate::threads::{joined, workers};

/// What was found in the log.
pub(crate) struct Replayed {
    /// Records in the batches that count.
    pub(crate) records: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// For each segment, where its last batch that counts ends.
    pub(crate) ends: Vec<u64>,
    /// For each segment, the position that its first record has, or would have.
    pub(crate) begins: Vec<Lsn>,
    pub(crate) end: LogEnd,
}

/// A segment and those of its batches that count.
struct Chunk {
    path: PathBuf,
    bytes: Vec<u8>,
    batches: Vec<Batch>,
}

/// Segments that are read ahead of the workers.
const AHEAD: usize = 1;

impl Reader<'_> {
    /// Applies all records behind the positions at which the shards were copied. The snapshot says
    /// that the log was on disk up to `snapshot_through`.
    pub(super) fn replay(
        &mut self,
        files: &Files,
        table: &Table,
        copied_at: &[Lsn],
        snapshot_through: Lsn,
    ) -> Result<Replayed, OpenError> {
        let (read, mut failures) = std::thread::scope(|scope| {
            let count = workers();
            let (senders, threads): (Vec<_>, Vec<_>) = (0..count)
                .map(|worker| {
                    let (sender, chunks) = sync_channel::<Arc<Chunk>>(AHEAD);
                    let work = Worker {
                        table,
                        copied_at,
                        mine: worker,
                        of: count,
                    };
                    (sender, scope.spawn(move || work.apply_all(&chunks)))
                })
                .unzip();
            let verdict = TailVerdict::new(files.log_from, snapshot_through, files.needed_from);
            let read = self.read_log(&files.segments, table.seed(), verdict, &senders);
            drop(senders);
            let failures = threads.into_iter().flat_map(joined);
            (read, failures.collect::<Vec<Failure>>())
        });
        let mut replayed = read?;
        failures.sort_by_key(|(lsn, _)| *lsn);
        for (lsn, damage) in failures {
            (self.on_damage)(damage?)?;
            replayed.end.lost.push((lsn, lsn));
        }
        replayed.end.lost.sort_unstable();
        Ok(replayed)
    }

    /// Reads the log in order and hands the batches that count to the workers.
    fn read_log(
        &mut self,
        segments: &[CheckedFile],
        seed: HashSeed,
        mut verdict: TailVerdict,
        workers: &[SyncSender<Arc<Chunk>>],
    ) -> Result<Replayed, OpenError> {
        let (mut records, mut bytes) = (0, 0);
        let (mut ends, mut begins) = (Vec::new(), Vec::new());
        for index in 0..segments.len() {
            begins.push(verdict.next());
            let chunk = self.chunk(&segments[index..], seed, &mut verdict)?;
            let counted = chunk.batches.iter().map(|batch| u64::from(batch.records));
            records += counted.sum::<u64>();
            let end = chunk.batches.last().map_or(HEADER_BYTES, Batch::end) as u64;
            bytes += end - HEADER_BYTES as u64;
            ends.push(end);
            let chunk = Arc::new(chunk);
            for worker in workers {
                // A worker that panicked is noticed when it is joined.
                let _ = worker.send(Arc::clone(&chunk));
            }
        }
        let (end, cut_short) = verdict.finish();
        if let Some((at, what)) = cut_short {
            let name = FileKind::Segment.file_name(at.segment);
            self.damaged(&self.disk.path().join(name), at.offset, what)?;
        }
        Ok(Replayed {
            records,
            bytes,
            ends,
            begins,
            end,
        })
    }

    /// Reads the first of these segments and judges its pieces.
    fn chunk(
        &mut self,
        segments: &[CheckedFile],
        seed: HashSeed,
        verdict: &mut TailVerdict,
    ) -> Result<Chunk, OpenError> {
        let segment = &segments[0];
        let bytes = segment.read_all()?;
        let mut batches = Vec::new();
        for piece in pieces_of(&bytes, segment, seed) {
            let ahead = || batches_from(piece.offset(), segments, seed);
            let judged = verdict.take(segment.number, &piece, ahead)?;
            if let Some(what) = judged.damage {
                self.damaged(&segment.path, piece.offset() as u64, what)?;
            }
            batches.extend(judged.batch);
        }
        Ok(Chunk {
            path: segment.path.clone(),
            bytes,
            batches,
        })
    }
}

/// The pieces of a segment with this content.
fn pieces_of(bytes: &[u8], segment: &CheckedFile, seed: HashSeed) -> impl Iterator<Item = Piece> {
    let salt = salt(seed, FileKind::Segment, segment.number);
    // A damaged file may be shorter than its header.
    pieces(bytes, HEADER_BYTES.min(bytes.len()), salt)
}

/// The whole batches from `offset` of the first segment on.
fn batches_from(
    offset: usize,
    segments: &[CheckedFile],
    seed: HashSeed,
) -> Result<Batches, OpenError> {
    let (mut found, mut from) = (Batches::new(), offset);
    for segment in segments {
        for piece in pieces_of(&segment.read_all()?, segment, seed) {
            if let Piece::Batch(batch) = piece
                && batch.offset >= from
            {
                found.push_back((segment.number, batch));
            }
        }
        from = 0;
    }
    Ok(found)
}

/// The position of a record that could not be applied, and why: its batch is malformed although the
/// checksum is right, or the delta is. An error for a newer version.
type Failure = (Lsn, Result<Damage, OpenError>);

/// Applies the records of its share of the shards.
struct Worker<'a> {
    table: &'a Table,
    /// For each shard, the position that its copy in the snapshot contains.
    copied_at: &'a [Lsn],
    /// Its number, and how many there are.
    mine: usize,
    of: usize,
}

impl Worker<'_> {
    /// Applies all segments, in order. Returns the records that could not be applied.
    fn apply_all(&self, chunks: &Receiver<Arc<Chunk>>) -> Vec<Failure> {
        let mut failures = Vec::new();
        for chunk in chunks {
            for batch in &chunk.batches {
                self.apply(&chunk, batch, &mut failures);
            }
        }
        failures
    }

    /// Applies one batch.
    fn apply(&self, chunk: &Chunk, batch: &Batch, failures: &mut Vec<Failure>) {
        let offset = Some(batch.offset as u64);
        for record in batch.records(&chunk.bytes) {
            let (lsn, key, delta) = match record {
                Ok(record) => record,
                Err(what) => {
                    // All workers find it, one reports it.
                    if self.mine == 0 {
                        let damage = Damage::new(&chunk.path, offset, what);
                        failures.push((batch.first, Ok(damage)));
                    }
                    return;
                }
            };
            let hash = self.table.hash(key);
            let shard = shard_index(hash);
            // Deltas are not to be applied twice, and a user is always with the same worker.
            if shard % self.of != self.mine || lsn <= self.copied_at[shard] {
                continue;
            }
            let apply = |record: Option<&[u8]>| codec::apply_delta(record, delta);
            if let Err(error) = self.table.update(hash, key, apply) {
                failures.push((lsn, Damage::of_record(error, &chunk.path, offset)));
            }
        }
    }
}
