//! Writing a snapshot, in a thread of its own, beside the commits.

use std::sync::Arc;
use std::thread::JoinHandle;

use streamgate_store::clock::Stopwatch;

use crate::disk::DiskFile;
use crate::fatal::{Doing, FatalError};
use crate::format::{FileHeader, FileKind, HEADER_BYTES};
use crate::log::Lsn;
use crate::log::segment::TEMPORARY;
use crate::shared::Shared;
use crate::snapshot::format::{BlockBuf, End};
use crate::table::SHARD_BITS;

/// A block is written when it is this long.
const BLOCK_BYTES: usize = 1 << 20;

/// What is written is synced this often, so that a commit never finds much of it in its way.
const SYNC_BYTES: u64 = 4 << 20;

/// Starts writing the snapshot named after segment `number`, whose first record is at `log_from`.
pub(crate) fn spawn(
    shared: Arc<Shared>,
    number: u64,
    log_from: Lsn,
) -> Result<JoinHandle<()>, FatalError> {
    let write = move || {
        let watch = Stopwatch::start();
        match write(&shared, number, log_from) {
            Ok(Some((end, bytes))) => {
                let took = watch.elapsed();
                tracing::info!(records = end.records, bytes, ?took, "snapshot written");
                shared.observer.snapshot_written(end.records, bytes, took);
            }
            Ok(None) => tracing::debug!("snapshot given up: the store is closing"),
            Err(error) => shared.fail(error),
        }
    };
    std::thread::Builder::new()
        .name("sg-snapshot".to_owned())
        .spawn(write)
        .doing(|| "starting the snapshot writer".to_owned())
}

/// Returns what was written and how many bytes; `None` where the store ended before.
fn write(shared: &Shared, number: u64, log_from: Lsn) -> Result<Option<(End, u64)>, FatalError> {
    let name = FileKind::Snapshot.file_name(number);
    let temporary = format!("{name}{TEMPORARY}");
    let doing = || format!("writing {name}");
    let file = shared.disk.create(&temporary).doing(doing)?;
    let header = FileHeader {
        kind: FileKind::Snapshot,
        number,
        capacity: 0,
        seed: shared.table.seed(),
        log_from,
        shard_bits: SHARD_BITS,
    };
    let mut output = Output {
        file,
        offset: 0,
        synced: 0,
        salt: header.salt(),
        end: End::default(),
    };
    output.put(&header.encode()).doing(doing)?;
    debug_assert_eq!(output.offset, HEADER_BYTES as u64);
    let whole = copy(shared, &mut output).doing(doing)?;
    // The copies may contain changes that a crash could still take back: the snapshot gets its name
    // only when the log is on disk as far as any copy reaches.
    if !whole || !shared.queue.sync_through(output.end.position) {
        shared.disk.remove(&temporary).doing(doing)?;
        return Ok(None);
    }
    shared.disk.rename(&temporary, &name).doing(doing)?;
    shared
        .disk
        .sync_dir()
        .doing(|| "syncing the data directory".to_owned())?;
    remove_before(shared, number)?;
    Ok(Some((output.end, output.offset)))
}

/// Copies all shards. `false` where the store ended before.
fn copy(shared: &Shared, output: &mut Output) -> std::io::Result<bool> {
    let mut block = BlockBuf::new();
    for (shard, lock) in shared.table.shards().iter().enumerate() {
        if shared.queue.check().is_err() {
            return Ok(false);
        }
        let guard = lock.lock();
        // Changes are appended under this lock, so none of this shard is behind the position that
        // is not in the copy, and none before it that is not.
        let position = shared.queue.appended();
        block.section(shard, position, guard.entries.len());
        for entry in &guard.entries {
            block.record(entry);
        }
        output.end.records += guard.entries.len() as u64;
        drop(guard);
        output.end.position = output.end.position.max(position);
        if block.len() >= BLOCK_BYTES {
            output.put_block(&mut block)?;
        }
    }
    if !block.is_empty() {
        output.put_block(&mut block)?;
    }
    let (end, number) = (output.end, output.end.blocks);
    let mut end = BlockBuf::end(end);
    output.put(end.seal(output.salt, number, true))?;
    output.file.sync_data()?;
    Ok(true)
}

struct Output {
    file: Box<dyn DiskFile>,
    offset: u64,
    synced: u64,
    salt: u32,
    end: End,
}

impl Output {
    fn put_block(&mut self, block: &mut BlockBuf) -> std::io::Result<()> {
        let bytes = block.seal(self.salt, self.end.blocks, false);
        self.file.write_at(bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        self.end.blocks += 1;
        block.clear();
        if self.offset - self.synced >= SYNC_BYTES {
            self.file.sync_data()?;
            self.synced = self.offset;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_at(bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

/// Removes the segments and snapshots that a snapshot made superfluous.
fn remove_before(shared: &Shared, number: u64) -> Result<(), FatalError> {
    let doing = || "removing what a snapshot made superfluous".to_owned();
    for name in shared.disk.list().doing(doing)? {
        if FileKind::parse_name(&name).is_some_and(|(_, other)| other < number) {
            shared.disk.remove(&name).doing(doing)?;
        }
    }
    shared.disk.sync_dir().doing(doing)
}
