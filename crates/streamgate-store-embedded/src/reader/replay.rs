//! Applies the log to the table, on all cores.
//!
//! One thread reads and judges; the others apply, each the records of its own share of the shards.
//! So the records of a user are applied by one thread, in order.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use streamgate_core::codec;

use super::verdict::{Batches, LogPosition, TailVerdict, Torn, Verdict};
use super::{CheckedFile, Files, Reader};
use crate::error::{Damage, OpenError};
use crate::format::HEADER_BYTES;
use crate::log::Lsn;
use crate::log::frame::{Batch, Piece, pieces};
use crate::table::{Table, shard_index};
use crate::threads::{joined, workers};

/// What was found in the log.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// Records in the batches that count.
    pub(crate) records: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// For each segment, where its last batch that counts ends.
    pub(crate) ends: Vec<u64>,
    /// For each segment, the position that its first record has, or would have.
    pub(crate) begins: Vec<Lsn>,
    /// The position of the last record, lost ones included.
    pub(crate) last: Lsn,
    /// Where the torn tail begins, if there is one.
    pub(crate) torn: Option<Torn>,
    /// Ranges of records that are lost, both ends included.
    pub(crate) lost: Vec<(Lsn, Lsn)>,
    /// The first batch that neither the snapshot nor a later batch proves to be on disk: it may be
    /// in the page cache only.
    pub(crate) unproven_from: Option<LogPosition>,
}

/// Batches that count and that no later batch has proven to be on disk so far.
#[derive(Default)]
struct Unproven(VecDeque<(Lsn, LogPosition)>);

impl Unproven {
    fn push(&mut self, segment: u64, batch: &Batch) {
        while self
            .0
            .pop_front_if(|(through, _)| *through <= batch.synced)
            .is_some()
        {}
        let offset = batch.offset as u64;
        // A mark has no record; it is on disk with the next one.
        let through = batch.first.max(batch.next() - 1);
        self.0.push_back((through, LogPosition { segment, offset }));
    }

    fn first_behind(&self, through: Lsn) -> Option<LogPosition> {
        let first = self.0.iter().find(|(needs, _)| *needs > through);
        first.map(|(_, at)| *at)
    }
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
        let segments = &files.segments;
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
            let read = self.read_log(segments, verdict, snapshot_through, &senders);
            drop(senders);
            (
                read,
                threads
                    .into_iter()
                    .flat_map(joined)
                    .collect::<Vec<Failure>>(),
            )
        });
        let mut replayed = read?;
        failures.sort_by_key(|(lsn, _)| *lsn);
        for (lsn, damage) in failures {
            (self.on_damage)(damage?)?;
            replayed.lost.push((lsn, lsn));
        }
        replayed.lost.sort_unstable();
        Ok(replayed)
    }

    /// Reads the log in order and hands the batches that count to the workers.
    fn read_log(
        &mut self,
        segments: &[CheckedFile],
        mut verdict: TailVerdict,
        snapshot_through: Lsn,
        workers: &[SyncSender<Arc<Chunk>>],
    ) -> Result<Replayed, OpenError> {
        let (mut replayed, mut unproven) = (Replayed::default(), Unproven::default());
        for (index, segment) in segments.iter().enumerate() {
            replayed.begins.push(verdict.next());
            let mut end = HEADER_BYTES as u64;
            // Nothing behind a torn place counts.
            if replayed.torn.is_none() {
                let (chunk, torn) = self.chunk(index, segments, &mut verdict)?;
                replayed.torn = torn;
                for batch in &chunk.batches {
                    replayed.records += u64::from(batch.records);
                    unproven.push(segment.header.number, batch);
                    end = batch.end() as u64;
                }
                let chunk = Arc::new(chunk);
                for worker in workers {
                    // A worker that panicked is noticed when it is joined.
                    let _ = worker.send(Arc::clone(&chunk));
                }
            }
            replayed.ends.push(end);
            replayed.bytes += end - HEADER_BYTES as u64;
        }
        replayed.unproven_from = unproven.first_behind(snapshot_through);
        let end = verdict.finish();
        if let Some((at, what)) = end.cut_short {
            let path = self.segment_path(at.segment);
            self.damaged(&path, at.offset, what)?;
        }
        (replayed.last, replayed.lost) = (end.last, end.lost);
        Ok(replayed)
    }

    /// Reads one segment and judges its pieces. Returns those that count, and the torn place.
    fn chunk(
        &mut self,
        index: usize,
        segments: &[CheckedFile],
        verdict: &mut TailVerdict,
    ) -> Result<(Chunk, Option<Torn>), OpenError> {
        let segment = &segments[index];
        let number = segment.header.number;
        let bytes = segment.read_all()?;
        let (mut batches, mut torn) = (Vec::new(), None);
        for piece in pieces_of(&bytes, segment) {
            let offset = piece.offset() as u64;
            let ahead = || batches_from(piece.offset(), &bytes, &segments[index..]);
            let counts = match verdict.take(number, &piece, ahead)? {
                Verdict::Counts => true,
                Verdict::Torn(what) => {
                    let at = LogPosition {
                        segment: number,
                        offset,
                    };
                    torn = Some(Torn { at, what });
                    break;
                }
                Verdict::Damaged { what, counts } => {
                    if let Some(what) = what {
                        self.damaged(&segment.path, offset, what)?;
                    }
                    counts
                }
            };
            if let (true, Piece::Batch(batch)) = (counts, piece) {
                batches.push(batch);
            }
        }
        let chunk = Chunk {
            path: segment.path.clone(),
            bytes,
            batches,
        };
        Ok((chunk, torn))
    }
}

/// The pieces of a segment.
fn pieces_of(bytes: &[u8], segment: &CheckedFile) -> impl Iterator<Item = Piece> {
    // A damaged directory may have a file that is shorter than its header.
    pieces(bytes, HEADER_BYTES.min(bytes.len()), segment.header.salt())
}

/// The whole batches from `offset` of the first segment on, whose content is `bytes`.
fn batches_from(
    offset: usize,
    bytes: &[u8],
    segments: &[CheckedFile],
) -> Result<Batches, OpenError> {
    let mut found = Batches::new();
    let mut add = |bytes: &[u8], from: usize, segment: &CheckedFile| {
        for piece in pieces_of(bytes, segment) {
            if let Piece::Batch(batch) = piece
                && batch.offset >= from
            {
                found.push_back((segment.header.number, batch));
            }
        }
    };
    for (index, segment) in segments.iter().enumerate() {
        match index {
            0 => add(bytes, offset, segment),
            _ => add(&segment.read_all()?, 0, segment),
        }
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
