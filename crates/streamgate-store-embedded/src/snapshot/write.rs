//! Writing a snapshot, in a thread of its own, beside the commits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use streamgate_clock::Stopwatch;

use crate::disk::{Disk, DiskFile};
use crate::fatal::{Doing, FatalError};
use crate::format::{FileHeader, FileKind, HEADER_BYTES};
use crate::log::Lsn;
use crate::log::segment::TEMPORARY;
use crate::shared::Shared;
use crate::snapshot::format::{BlockBuf, End};
use crate::table::{SHARD_BITS, Table};

/// A block is written once it has this length.
const BLOCK_BYTES: usize = 1 << 20;

/// Synced after this many bytes, so that the sync of a commit never has much of it to flush.
const SYNC_BYTES: u64 = 4 << 20;

/// Starts writing the snapshot named after segment `number`, whose first record is at `log_from`.
pub(crate) fn spawn(
    shared: Arc<Shared>,
    number: u64,
    log_from: Lsn,
) -> Result<JoinHandle<()>, FatalError> {
    shared.snapshot_running.store(true, Ordering::Release);
    let write = move || {
        let watch = Stopwatch::start();
        let written = write(&shared, number, log_from).inspect_err(|error| {
            if error.is_full() {
                // It takes room from others. If it cannot be removed, the next try truncates it.
                let _ = shared.disk.remove(&temporary_name(number));
            }
        });
        // Before the observer is called, which may request the next one.
        shared.snapshot_running.store(false, Ordering::Release);
        match written {
            Ok(Some((end, bytes))) => {
                let took = watch.elapsed();
                tracing::info!(
                    records = end.records,
                    bytes,
                    duration_us = took.as_micros(),
                    "snapshot written"
                );
                shared.observer.snapshot_written(end.records, bytes, took);
            }
            Ok(None) => tracing::debug!("snapshot given up: the store is closing"),
            Err(error) if error.is_full() => {
                shared.snapshot_owed.store(true, Ordering::Relaxed);
                tracing::warn!(
                    %error,
                    "no room for a snapshot: the log goes on, and it is tried again"
                );
            }
            Err(error) => shared.fail(error),
        }
    };
    std::thread::Builder::new()
        .name("sg-snapshot".to_owned())
        .spawn(write)
        .doing(|| "starting the snapshot writer".to_owned())
}

/// Writes a snapshot. Returns `None` if the store ended first.
fn write(shared: &Shared, number: u64, log_from: Lsn) -> Result<Option<Written>, FatalError> {
    let disk = &*shared.disk;
    let unfinished = UnfinishedSnapshot::create(disk, &shared.table, number, log_from)?;
    // Changes are appended under the lock of the shard, so the copy has exactly the changes up to
    // the position.
    let position = || {
        shared
            .queue
            .check()
            .is_ok()
            .then(|| shared.queue.appended())
    };
    let Some(unfinished) = unfinished.copy(&shared.table, position)? else {
        return remove_temporary(disk, number).map(|()| None);
    };
    // The copies may contain changes that a crash could still take back: the snapshot is named only
    // when the log is on disk up to the highest position of a copy.
    if !shared.queue.sync_through(unfinished.end.position) {
        return remove_temporary(disk, number).map(|()| None);
    }
    let written = unfinished.give_name(disk)?;
    shared.needed.lock().snapshot = Some(number);
    remove_before(disk, number)?;
    Ok(Some(written))
}

/// A finished snapshot: its end, and its length in bytes.
pub(crate) type Written = (End, u64);

/// A snapshot that is being written under a temporary name.
pub(crate) struct UnfinishedSnapshot {
    name: String,
    file: Box<dyn DiskFile>,
    offset: u64,
    synced: u64,
    salt: u32,
    end: End,
}

/// The temporary name of a snapshot.
fn temporary_name(number: u64) -> String {
    format!("{}{TEMPORARY}", FileKind::Snapshot.file_name(number))
}

/// Removes an unfinished snapshot.
fn remove_temporary(disk: &dyn Disk, number: u64) -> Result<(), FatalError> {
    let name = temporary_name(number);
    disk.remove(&name).doing(|| format!("removing {name}"))
}

impl UnfinishedSnapshot {
    /// Creates the file and writes its header.
    pub(crate) fn create(
        disk: &dyn Disk,
        table: &Table,
        number: u64,
        log_from: Lsn,
    ) -> Result<Self, FatalError> {
        let name = FileKind::Snapshot.file_name(number);
        let header = FileHeader {
            kind: FileKind::Snapshot,
            number,
            capacity: 0,
            seed: table.seed(),
            log_from,
            shard_bits: SHARD_BITS,
        };
        let doing = || format!("writing {name}");
        let file = disk.create(&temporary_name(number)).doing(doing)?;
        file.write_at(&header.encode(), 0).doing(doing)?;
        Ok(Self {
            name,
            file,
            offset: HEADER_BYTES as u64,
            synced: 0,
            salt: header.salt(),
            end: End::default(),
        })
    }

    /// Copies all shards. `position` is called under the lock of each; `None` ends the copying.
    pub(crate) fn copy(
        mut self,
        table: &Table,
        position: impl Fn() -> Option<Lsn>,
    ) -> Result<Option<Self>, FatalError> {
        let mut block = BlockBuf::new();
        for (shard, lock) in table.shards().iter().enumerate() {
            // A shard has a few thousand records: copying it takes less time than a sync.
            let guard = lock.lock();
            let Some(position) = position() else {
                return Ok(None);
            };
            block.section(shard, position, guard.entries.len());
            for entry in &guard.entries {
                block.record(entry);
            }
            self.end.records += guard.entries.len() as u64;
            drop(guard);
            self.end.position = self.end.position.max(position);
            if block.len() >= BLOCK_BYTES {
                self.put_block(&mut block)?;
            }
        }
        if !block.is_empty() {
            self.put_block(&mut block)?;
        }
        let mut end = BlockBuf::end(self.end);
        self.put(end.seal(self.salt, self.end.blocks, true))?;
        self.sync()?;
        Ok(Some(self))
    }

    /// Gives the snapshot its final name.
    pub(crate) fn give_name(self, disk: &dyn Disk) -> Result<Written, FatalError> {
        let doing = || format!("putting {} in place", self.name);
        disk.rename(&format!("{}{TEMPORARY}", self.name), &self.name)
            .doing(doing)?;
        disk.sync_dir().doing(doing)?;
        Ok((self.end, self.offset))
    }

    fn put_block(&mut self, block: &mut BlockBuf) -> Result<(), FatalError> {
        self.put(block.seal(self.salt, self.end.blocks, false))?;
        self.end.blocks += 1;
        block.clear();
        if self.offset - self.synced >= SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), FatalError> {
        self.file
            .write_at(bytes, self.offset)
            .doing(|| format!("writing {}", self.name))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), FatalError> {
        self.synced = self.offset;
        self.file
            .sync_data()
            .doing(|| format!("syncing {}", self.name))
    }
}

/// Removes the segments and snapshots that a snapshot made superfluous.
pub(crate) fn remove_before(disk: &dyn Disk, number: u64) -> Result<(), FatalError> {
    let doing = || "removing what a snapshot made superfluous".to_owned();
    for name in disk.list().doing(doing)? {
        if FileKind::parse_name(&name).is_some_and(|(_, other)| other < number) {
            disk.remove(&name).doing(doing)?;
        }
    }
    // Not for correctness, older files are ignored: this frees their space on disk.
    disk.sync_dir().doing(doing)
}
