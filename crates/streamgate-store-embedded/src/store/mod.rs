//! The store: the port implemented by the table and the log together.
//!
//! What is *not* here: calls that visit all records (`scan_sweep.rs`).

mod scan_sweep;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use streamgate_clock::Clock;
use streamgate_core::{Durability, TenantId, UserKey};
use streamgate_store::{
    Backup, BackupError, BoxFuture, Change, Cursor, DetachOnDrop, Page, Step, Store, StoreError,
    Swept, Transaction, View,
};

use crate::backup::source;
use crate::config::{DurabilityMode, EmbeddedConfig};
use crate::disk::{Disk, RealDisk};
use crate::error::OpenError;
use crate::fatal::OnFatal;
use crate::lock::{DirLock, LOCK_FILE};
use crate::log::Lsn;
use crate::log::prepare::PreparedSegments;
use crate::log::progress::{CommitWatch, Steps};
use crate::log::queue::Queue;
use crate::log::writer::Writer;
use crate::observer::LogObserver;
use crate::recovery::{self, Recovered};
use crate::shared::{Needed, Shared};
use crate::table::shard::{Shard, slot};

/// Keeps ledgers in memory and every change of them in a write-ahead log.
///
/// Reads and decisions never touch the disk: the table holds every record. A call waits only for a
/// change that it made, or saw, and that is not on disk yet.
pub struct EmbeddedStore {
    /// Shared with the store's threads.
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    recovered: Recovered,
    /// Taken and joined when the store is dropped.
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Opens a data directory and recovers what is in it. Blocks until all is in memory.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong and what to do. No acknowledged data was changed.
    pub fn open(
        config: EmbeddedConfig,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn LogObserver>,
        on_fatal: OnFatal,
    ) -> Result<Self, OpenError> {
        // Lock before reading: another process may be about to write.
        let disk = RealDisk::create(&config.dir)
            .map_err(|cause| OpenError::io("opening the data directory", &config.dir, cause))?;
        let lock = DirLock::take(&config.dir)?;
        if matches!(disk.is_private(), Ok(false)) {
            tracing::warn!(
                dir = %config.dir.display(),
                "other users of this machine may look into the data directory, which tells who \
                 watches what: chmod 700 it"
            );
        }
        Self::start(
            config,
            Arc::new(disk),
            Some(lock),
            clock,
            observer,
            on_fatal,
        )
    }

    /// Opens a store on another [`Disk`], without a lock. For tests.
    ///
    /// # Errors
    /// As [`EmbeddedStore::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        config: EmbeddedConfig,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn LogObserver>,
        on_fatal: OnFatal,
    ) -> Result<Self, OpenError> {
        Self::start(config, disk, None, clock, observer, on_fatal)
    }

    /// Recovers what is on the disk and starts the threads.
    fn start(
        config: EmbeddedConfig,
        disk: Arc<dyn Disk>,
        lock: Option<DirLock>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn LogObserver>,
        on_fatal: OnFatal,
    ) -> Result<Self, OpenError> {
        let config = config.within_bounds();
        let opened = recovery::open(&disk, config.segment_bytes, clock.now().time)?;
        let recovered = opened.recovered;
        tracing::info!(
            dir = %config.dir.display(),
            durability = %config.durability,
            users = recovered.users,
            log_records = recovered.log_records,
            torn_bytes = recovered.torn_bytes,
            duration_us = recovered.took.as_micros(),
            "store opened"
        );
        let queue = Queue::new(config.durability, config.queue_max_bytes, opened.last);
        let lock_id = |_: &DirLock| disk.id_of(LOCK_FILE).ok().flatten();
        let needed = Needed {
            lock: lock.as_ref().and_then(lock_id),
            snapshot: opened.snapshot,
            segment: (opened.segment.number, opened.segment.id),
        };
        let shared = Arc::new(Shared {
            config,
            disk,
            table: opened.table,
            queue,
            steps: Steps::default(),
            prepared: PreparedSegments::new(opened.prepared),
            observer,
            on_fatal,
            snapshot_running: AtomicBool::new(false),
            snapshot_owed: AtomicBool::new(false),
            backup_running: Arc::default(),
            needed: Mutex::new(needed),
        });
        let writer = Writer::spawn(
            Arc::clone(&shared),
            opened.segment,
            opened.segment_first,
            opened.log_bytes,
            opened.next_number,
            lock,
        )?;
        Ok(Self {
            shared,
            clock,
            recovered,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// What recovery found when the store was opened.
    #[must_use]
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// Requests a snapshot now, unless one is being written. The observer is called when it is
    /// done.
    pub fn request_snapshot(&self) {
        self.shared.queue.request_snapshot();
    }

    /// A look at the commit writer, for a watchdog.
    #[must_use]
    pub fn commit_watch(&self) -> CommitWatch {
        CommitWatch::new(Arc::clone(&self.shared))
    }

    /// Runs a step under the lock of its shard.
    fn run_step(&self, key: &UserKey, step: Step<'_>) -> Result<Ran, StoreError> {
        let Shared { table, queue, .. } = &*self.shared;
        queue.check()?;
        let bytes = key.as_bytes();
        let hash = table.hash(bytes);
        let mut shard = table.shard_of(hash).lock();
        let Shard { entries, pending } = &mut *shard;
        // Every call prunes, so the list never holds more than the changes of two batches.
        pending.prune(queue.durable());
        let seen = pending.last_of(hash);
        let slot = slot(entries, hash, bytes);
        let change = step.run(View {
            key,
            record: slot.record(),
            now: self.clock.now(),
        });
        let Some(change) = change else {
            return Ok(Ran::unchanged(seen));
        };
        let mut wait = seen;
        if change.durability > Durability::Memory {
            assert_has_delta(&change);
            let durable = change.durability == Durability::Durable;
            // The log comes first: if it refuses the change, nothing has changed.
            let lsn = queue.append(bytes, &change.delta, durable, change.needs_room)?;
            if durable && queue.mode() != DurabilityMode::None {
                pending.push(hash, lsn);
                wait = Some(lsn);
            }
        }
        // Other calls see the change from here on, and wait until it is durable.
        let growth = slot.set(table.seed(), hash, bytes, change.record.as_deref());
        table.grew(growth);
        let is_changed = true;
        Ok(Ran { wait, is_changed })
    }

    /// See [`Store::transact`]. The lock of the shard is released before the wait for the disk.
    fn transact<'a>(&'a self, key: &UserKey, step: Step<'a>) -> Transaction<'a> {
        let lsn = match self.run_step(key, step) {
            Ok(Ran { wait: None, .. }) => return Transaction::Done(Ok(())),
            Ok(Ran {
                wait: Some(lsn), ..
            }) => lsn,
            Err(error) => return Transaction::Done(Err(error)),
        };
        let queue = &self.shared.queue;
        let waiting =
            DetachOnDrop::new(step, move |callback| queue.call_when_durable(lsn, callback));
        Transaction::Pending(Box::pin(async move {
            let durable = queue.wait_durable(lsn).await;
            waiting.answered();
            durable
        }))
    }
}

/// The result of a step.
struct Ran {
    /// The position that must be durable before the call is answered, if any.
    wait: Option<Lsn>,
    /// Whether the record was changed.
    is_changed: bool,
}

impl Ran {
    const fn unchanged(wait: Option<Lsn>) -> Self {
        Self {
            wait,
            is_changed: false,
        }
    }
}

/// A programming error that would otherwise show only after a crash.
fn assert_has_delta(change: &Change) {
    assert!(
        !change.delta.is_empty(),
        "a change that a crash must not lose has a delta"
    );
}

impl Store for EmbeddedStore {
    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a> {
        let queue = &self.shared.queue;
        if queue.has_room() {
            return self.transact(key, step);
        }
        Transaction::Pending(Box::pin(async move {
            queue.wait_room().await?;
            self.transact(key, step).await
        }))
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(self.scan(tenant, from, page_size))
    }

    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        Box::pin(self.sweep(from, budget, step))
    }

    fn wall_offset_ms(&self) -> i64 {
        self.clock.wall_offset_ms()
    }

    fn record_count(&self) -> Option<u64> {
        Some(self.shared.table.records())
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { self.shared.queue.check() })
    }

    fn backup(&self) -> BoxFuture<'_, Result<Box<dyn Backup>, BackupError>> {
        let (shared, clock) = (Arc::clone(&self.shared), Arc::clone(&self.clock));
        // It waits for a sync and opens files.
        let begun = tokio::task::spawn_blocking(move || source::begin(&shared, &*clock));
        Box::pin(async move {
            let begun = begun.await.map_err(|error| {
                StoreError::Unavailable(format!("the backup could not be begun: {error}"))
            })?;
            Ok(Box::new(begun?) as Box<dyn Backup>)
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.shared.queue.close())
    }
}

impl Drop for EmbeddedStore {
    /// Stops the threads where they stand, as a crash would. What was acknowledged is on disk.
    fn drop(&mut self) {
        self.shared.queue.abandon();
        self.shared.prepared.stop();
        let Some(writer) = self.writer.lock().take() else {
            return;
        };
        // The hook for failures runs on a thread of the store and may hold the last reference.
        let is_own_thread = std::thread::current()
            .name()
            .is_some_and(|name| name.starts_with("sg-"));
        if !is_own_thread {
            let _ = writer.join();
        }
    }
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("config", &self.shared.config)
            .field("records", &self.shared.table.records())
            .finish_non_exhaustive()
    }
}
