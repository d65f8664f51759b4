//! Loads a snapshot into the table, on all cores.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

use streamgate_core::codec::{self, CodecError};

use crate::error::OpenError;
use crate::log::Lsn;
use crate::recovery::{codec_damage, damaged, joined, workers};
use crate::snapshot::End;
use crate::snapshot::read::{Next, SnapshotReader, payload, sections};
use crate::table::shard::reserve;
use crate::table::{SHARDS, Table};

/// Blocks that wait for a worker.
const AHEAD: usize = 4;

/// Where a block begins in the file, and its bytes.
type Block = (u64, Vec<u8>);

/// Why a block cannot be loaded.
enum Unreadable {
    /// It is not a block that was written so.
    Block(&'static str),
    /// It has a record of a version that is not known.
    Record(CodecError),
}

/// Loads a snapshot. `copied_at` gets the position of each shard's copy.
pub(super) fn load(
    reader: &mut SnapshotReader<'_>,
    table: &Table,
    copied_at: &mut Vec<Lsn>,
    dir: &Path,
    path: &Path,
) -> Result<End, OpenError> {
    // The reader checks checksums, which is quick; the workers make the table, which is not.
    copied_at.resize(SHARDS, 0);
    let (end, sections) = std::thread::scope(|scope| {
        let (senders, threads): (Vec<_>, Vec<_>) = (0..workers())
            .map(|_| {
                let (sender, blocks) = sync_channel::<Block>(AHEAD);
                (sender, scope.spawn(move || work(table, &blocks)))
            })
            .unzip();
        let mut turn = senders.iter().cycle();
        let end = loop {
            match reader.next() {
                Err(cause) => break Err(OpenError::io("reading", path, cause)),
                Ok(Next::Damage { offset, what }) => {
                    break Err(damaged(dir, path, Some(offset), what));
                }
                Ok(Next::End(end)) => break Ok(end),
                Ok(Next::Block { offset, bytes }) => {
                    let sender = turn.next().expect("there is a worker");
                    // A worker that ended says why when it is joined.
                    if sender.send((offset, bytes)).is_err() {
                        break Ok(End::default());
                    }
                }
            }
        };
        drop(senders);
        let sections: Result<Vec<_>, _> = threads.into_iter().map(joined).collect();
        (end, sections)
    });
    let sections = sections.map_err(|(offset, why)| match why {
        Unreadable::Block(what) => damaged(dir, path, Some(offset), what),
        Unreadable::Record(error) => codec_damage(error, dir, path, Some(offset)),
    })?;
    // A worker's error comes before the reader's, because the block is earlier in the file.
    let end = end?;
    for (shard, position) in sections.into_iter().flatten() {
        copied_at[shard] = position;
    }
    if table.records() != end.records {
        let what = format!(
            "{} records were read, {} written",
            table.records(),
            end.records
        );
        return Err(damaged(dir, path, None, what));
    }
    Ok(end)
}

/// Puts the records of blocks into the table. Returns the positions of the shards' copies.
fn work(table: &Table, blocks: &Receiver<Block>) -> Result<Vec<(usize, Lsn)>, (u64, Unreadable)> {
    let mut copied_at = Vec::new();
    for (offset, bytes) in blocks {
        // A newer record is found here, before recovery changes any file.
        let mut versions = Ok(());
        sections(
            payload(&bytes),
            |section| {
                if let Some(shard) = table.shards().get(section.shard) {
                    copied_at.push((section.shard, section.position));
                    // Room for exactly what comes: growing by doubling would hash every key again.
                    reserve(&mut shard.lock().entries, section.count, table.seed());
                }
            },
            |key, record| {
                versions = versions.and_then(|()| codec::check_version(record));
                put(table, key, record);
            },
        )
        .map_err(|what| (offset, Unreadable::Block(what)))?;
        versions.map_err(|error| (offset, Unreadable::Record(error)))?;
    }
    Ok(copied_at)
}

/// Puts one record into the table.
fn put(table: &Table, key: &[u8], record: &[u8]) {
    let hash = table.hash(key);
    let update: Result<(), std::convert::Infallible> =
        table.update(hash, key, |_| Ok(Some(record.to_vec())));
    let Ok(()) = update;
}
