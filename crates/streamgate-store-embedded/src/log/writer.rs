//! The commit writer: one thread that writes a batch, syncs once, and completes all its calls
//! (group commit). No other thread writes to the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use streamgate_clock::Stopwatch;

use crate::config::DurabilityMode;
use crate::fatal::{Doing, FatalError};
use crate::lock::DirLock;
use crate::log::frame::BatchBuf;
use crate::log::pace::Pace;
use crate::log::prepare::{Taken, prepare, seems_to_fit};
use crate::log::queue::Work;
use crate::log::room::Level;
use crate::log::segment::Segment;
use crate::log::{Lsn, WrittenEnd};
use crate::shared::Shared;
use crate::snapshot;

/// How often the writer retries while a full disk keeps it from going on.
const FULL_PAUSE: Duration = Duration::from_millis(200);

/// The state of the writer.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    segment: Segment,
    /// The position of the first record of the segment.
    segment_first: Lsn,
    /// The position of the last record written.
    written: Lsn,
    /// The position of the last record that is on disk for sure.
    synced: Lsn,
    /// Bytes of log behind the last snapshot, or behind the one being written.
    log_bytes: u64,
    preparer: JoinHandle<()>,
    /// Threads that write a snapshot. At most the last one still runs.
    snapshots: Vec<JoinHandle<()>>,
    /// Released last.
    lock: Option<DirLock>,
}

impl Writer {
    /// Starts the writer, and the preparer with it.
    pub(crate) fn spawn(
        shared: Arc<Shared>,
        segment: Segment,
        segment_first: Lsn,
        log_bytes: u64,
        next_number: u64,
        lock: Option<DirLock>,
    ) -> Result<JoinHandle<()>, FatalError> {
        let preparer = spawn_preparer(Arc::clone(&shared), next_number)?;
        let last = shared.queue.appended();
        shared.queue.begin(end_of(&segment, last), segment.left());
        let writer = Self {
            shared,
            segment,
            segment_first,
            written: last,
            synced: last,
            log_bytes,
            preparer,
            snapshots: Vec::new(),
            lock,
        };
        std::thread::Builder::new()
            .name("sg-commit".to_owned())
            .spawn(move || writer.run())
            .doing(|| "starting the commit writer".to_owned())
    }

    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut closing = self.write_all().unwrap_or_else(|error| {
            shared.fail(error);
            false
        });
        shared.prepared.stop();
        // A panic of these threads has been reported by the panic hook.
        let _ = self.preparer.join();
        for snapshot in self.snapshots.drain(..) {
            let _ = snapshot.join();
        }
        // After the last write: what was synced into files without a name is lost.
        if closing && let Err(error) = shared.check_in_place() {
            shared.fail(error);
            closing = false;
        }
        drop(self.lock.take());
        if closing {
            shared.queue.closed();
        }
    }

    /// Writes until the store ends. Returns `true` if it was closed and everything is on disk.
    fn write_all(&mut self) -> Result<bool, FatalError> {
        let shared = Arc::clone(&self.shared);
        let mut pace = Pace::default();
        while let Some(work) = shared.queue.take(&pace) {
            let last = work.last;
            pace = Pace::after(work.batch.records());
            shared.steps.begin_or_end();
            let goes_on = self.work(work)?;
            shared.steps.begin_or_end();
            if !goes_on {
                return Ok(false);
            }
            if last {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Does one piece of work. Returns `false` if the store ended meanwhile.
    fn work(&mut self, mut work: Work) -> Result<bool, FatalError> {
        // Roll first: a batch lies in one segment.
        let watch = Stopwatch::start();
        let records = work.batch.records();
        let asked = work.snapshot && self.snapshot_is_idle();
        let full = !work.batch.is_empty() && !self.segment.has_room(work.batch.len());
        if asked && !full && self.shared.queue.room.is_scarce() {
            self.snapshot_in_place()?;
        } else if (asked || full || self.snapshot_is_due()) && !self.roll(work.first, asked)? {
            return Ok(false);
        }
        let mut bytes = 0;
        if records > 0 {
            let shared = Arc::clone(&self.shared);
            bytes = self
                .segment
                .write(&mut work.batch, work.first, self.synced, || {
                    wait_for_room(&shared)
                })?;
            if shared.queue.room.level() == Level::Nothing {
                // The preparer restores `Plenty`.
                shared.set_room(Level::Reserve);
            }
            self.written += u64::from(records);
            self.log_bytes += bytes as u64;
        }
        // One sync for all that was queued during the last one: that is the group commit.
        let idle = records == 0 && !work.force_sync && !work.snapshot;
        let syncs = match self.shared.queue.mode() {
            DurabilityMode::Fsync => true,
            // For the mark.
            DurabilityMode::Os => idle,
            DurabilityMode::None => false,
        };
        if self.written > self.synced && (syncs || work.force_sync) {
            self.segment.sync()?;
            self.synced = self.written;
        }
        let marked = idle || work.last;
        if marked {
            self.leave_mark()?;
        }
        let end = end_of(&self.segment, self.written);
        let left = self.segment.left();
        self.shared
            .queue
            .complete(work.batch, end, self.synced, marked, left);
        if records > 0 {
            self.shared
                .observer
                .committed(records as usize, bytes, watch.elapsed());
        }
        Ok(true)
    }

    /// Leaves a mark which proves that the last batch was on disk, so that later damage to that
    /// batch is not taken for a torn tail. No call depends on it, so it is not synced.
    fn leave_mark(&mut self) -> Result<(), FatalError> {
        if self.synced < self.written || !self.segment.has_room_for_mark() {
            return Ok(());
        }
        let mut mark = BatchBuf::new();
        let left = self
            .segment
            .write(&mut mark, self.written + 1, self.synced, || false);
        match left {
            // On a full copy-on-write file system the batch stays without a proof.
            Err(error) if !error.is_full() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Goes on in the next segment, whose first record has position `first`.
    fn roll(&mut self, first: Lsn, snapshot_requested: bool) -> Result<bool, FatalError> {
        // In every mode a segment is on disk before the next one begins: so a power loss never
        // leaves a hole between two segments.
        if self.synced < self.written {
            self.segment.sync()?;
            self.synced = self.written;
        }
        let Some(segment) = self.next_segment()? else {
            return Ok(false);
        };
        self.shared.needed.lock().segment = (segment.number, segment.id);
        self.segment = segment;
        self.segment_first = first;
        let owed = self.shared.snapshot_owed.swap(false, Ordering::Relaxed);
        let due = owed || self.log_bytes >= self.log_bytes_max();
        if snapshot_requested || (due && self.snapshot_is_idle()) {
            // Counted from here: what lies before will be in the snapshot.
            self.log_bytes = 0;
            self.spawn_snapshot()?;
        }
        Ok(true)
    }

    /// Waits for the next segment. Returns `None` if the store ended meanwhile. While a full disk
    /// has no room for it, no change is accepted.
    fn next_segment(&self) -> Result<Option<Segment>, FatalError> {
        // The reserve begins with the last segment that fits. A preparer that lags would notice
        // only when that segment is full, when it is too late to refuse what is queued.
        let reserve_last = || {
            if !seems_to_fit(&self.shared) {
                self.shared.set_room(Level::Reserve);
            }
        };
        loop {
            match self.shared.prepared.take(FULL_PAUSE, reserve_last) {
                Taken::Segment(segment) => return Ok(Some(segment)),
                Taken::Stopped => return Ok(None),
                Taken::NotYet if !self.shared.queue.room.is_scarce() => {}
                Taken::NotYet => {
                    self.shared.steps.look_again();
                    self.shared.set_room(Level::Nothing);
                    if self.shared.queue.is_ending() {
                        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
                        return Err(full).doing(|| "making the next segment".to_owned());
                    }
                }
            }
        }
    }

    /// Begins a snapshot at the segment in use, because a full disk has no room for another one. It
    /// replaces all segments before that one.
    fn snapshot_in_place(&mut self) -> Result<(), FatalError> {
        if self.shared.needed.lock().snapshot.unwrap_or(1) == self.segment.number {
            // It would free nothing.
            return Ok(());
        }
        self.log_bytes = self.segment.offset;
        self.spawn_snapshot()
    }

    /// Begins a snapshot whose log begins with the segment in use.
    fn spawn_snapshot(&mut self) -> Result<(), FatalError> {
        let shared = Arc::clone(&self.shared);
        let handle = snapshot::spawn(shared, self.segment.number, self.segment_first)?;
        self.snapshots.retain(|other| !other.is_finished());
        self.snapshots.push(handle);
        Ok(())
    }

    /// Whether the log is long enough for a snapshot and the segment for it is prepared.
    fn snapshot_is_due(&self) -> bool {
        self.log_bytes >= self.log_bytes_max()
            && self.snapshot_is_idle()
            && self.shared.prepared.has_one()
    }

    /// How long the log may grow, in bytes.
    fn log_bytes_max(&self) -> u64 {
        self.shared.config.log_bytes_for(self.shared.table.bytes())
    }

    fn snapshot_is_idle(&self) -> bool {
        !self.shared.snapshot_running.load(Ordering::Acquire)
    }
}

/// The end of a log that is written up to the end of this segment.
fn end_of(segment: &Segment, last: Lsn) -> WrittenEnd {
    WrittenEnd {
        segment: segment.number,
        offset: segment.offset,
        last,
    }
}

/// After a write that found no room: refuses all changes and waits. Returns whether to write again,
/// `false` while the store is ending.
fn wait_for_room(shared: &Shared) -> bool {
    shared.set_room(Level::Nothing);
    if shared.queue.is_ending() {
        return false;
    }
    shared.prepared.wait(FULL_PAUSE);
    shared.steps.look_again();
    true
}

/// Starts the preparer thread.
fn spawn_preparer(shared: Arc<Shared>, first_number: u64) -> Result<JoinHandle<()>, FatalError> {
    std::thread::Builder::new()
        .name("sg-prepare".to_owned())
        .spawn(move || prepare(&shared, first_number))
        .doing(|| "starting the preparer of segments".to_owned())
}
