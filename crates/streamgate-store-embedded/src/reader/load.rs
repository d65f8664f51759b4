//! Loads a snapshot into the table, on all cores.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use streamgate_core::codec;

use super::{CheckedFile, Reader};
use crate::error::{Damage, OpenError};
use crate::format::FileHeader;
use crate::log::Lsn;
use crate::snapshot::End;
use crate::snapshot::read::{Next, SnapshotReader, payload, sections};
use crate::table::Table;
use crate::table::shard::reserve;
use crate::threads::{joined, workers};

/// Blocks that are read ahead for each worker.
const AHEAD: usize = 4;

/// Where a block begins in the file, and its bytes.
type Block = (u64, Vec<u8>);

/// What a worker has loaded.
#[derive(Default)]
struct Loaded {
    /// The position of the log at which each shard was copied.
    copied_at: Vec<(usize, Lsn)>,
    /// Blocks that are malformed although their checksum is right; an error for a newer version.
    unreadable: Vec<(u64, Result<Damage, OpenError>)>,
}

impl Reader<'_> {
    /// Loads a snapshot. `copied_at` gets the position of each shard's copy.
    pub(super) fn load(
        &mut self,
        snapshot: &CheckedFile,
        header: &FileHeader,
        table: &Table,
        copied_at: &mut [Lsn],
    ) -> Result<End, OpenError> {
        // This thread checks checksums, which is quick; the workers fill the table, which is not.
        let (read, loaded) = std::thread::scope(|scope| {
            let (senders, threads): (Vec<_>, Vec<_>) = (0..workers())
                .map(|_| {
                    let (sender, blocks) = sync_channel::<Block>(AHEAD);
                    (
                        sender,
                        scope.spawn(move || load_blocks(table, &blocks, &snapshot.path)),
                    )
                })
                .unzip();
            let read = self.read_blocks(snapshot, header, &senders);
            drop(senders);
            (
                read,
                threads.into_iter().map(joined).collect::<Vec<Loaded>>(),
            )
        });
        let mut unreadable = Vec::new();
        for loaded in loaded {
            for (shard, position) in loaded.copied_at {
                copied_at[shard] = position;
            }
            unreadable.extend(loaded.unreadable);
        }
        unreadable.sort_by_key(|(offset, _)| *offset);
        let all_loaded = unreadable.is_empty();
        // Reported before the damage that ended the reading, which is further on in the file.
        for (_, damage) in unreadable {
            (self.on_damage)(damage?)?;
        }
        let (end, all_read) = read?;
        if all_read && all_loaded && table.records() != end.records {
            let (read, written) = (table.records(), end.records);
            let what = format!("{read} records were read, {written} written");
            self.damaged(&snapshot.path, None, what)?;
        }
        Ok(end)
    }

    /// Hands the blocks to the workers in turn. Returns what the end says, the default where it was
    /// not found, and whether every block was read.
    fn read_blocks(
        &mut self,
        snapshot: &CheckedFile,
        header: &FileHeader,
        workers: &[SyncSender<Block>],
    ) -> Result<(End, bool), OpenError> {
        let io_error = |cause| OpenError::io("reading", &snapshot.path, cause);
        let mut reader = SnapshotReader::new(&*snapshot.file, header).map_err(io_error)?;
        let (mut turn, mut all_read) = (workers.iter().cycle(), true);
        loop {
            match reader.next().map_err(io_error)? {
                Next::Block { offset, bytes } => {
                    let worker = turn.next().expect("there is a worker");
                    // A worker that panicked is noticed when it is joined.
                    let _ = worker.send((offset, bytes));
                }
                Next::End(end) => return Ok((end, all_read)),
                Next::Damage { offset, what } => {
                    self.damaged(&snapshot.path, offset, what)?;
                    all_read = false;
                    if !reader.skip_damage().map_err(io_error)? {
                        return Ok((End::default(), all_read));
                    }
                }
            }
        }
    }
}

/// Puts the records of blocks into the table.
fn load_blocks(table: &Table, blocks: &Receiver<Block>, path: &Path) -> Loaded {
    let mut loaded = Loaded::default();
    for (offset, bytes) in blocks {
        // A newer record is found here, before recovery changes any file.
        let mut versions = Ok(());
        let read = sections(
            payload(&bytes),
            |section| {
                if let Some(shard) = table.shards().get(section.shard) {
                    loaded.copied_at.push((section.shard, section.position));
                    // Room for exactly what comes: growing by doubling would hash every key again.
                    reserve(&mut shard.lock().entries, section.count, table.seed());
                }
            },
            |key, record| {
                versions = versions.and_then(|()| codec::check_version(record));
                table.put(key, Some(record));
            },
        );
        if let Err(what) = read {
            let damage = Damage::new(path, Some(offset), what);
            loaded.unreadable.push((offset, Ok(damage)));
        }
        if let Err(error) = versions {
            let damage = Damage::of_record(error, path, Some(offset));
            loaded.unreadable.push((offset, damage));
        }
    }
    loaded
}
