//! The writer's side of the queue: it takes a batch and reports when it is on disk.

use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::MutexGuard;
use streamgate_store::CommitResult;

use crate::config::DurabilityMode;
use crate::log::frame::{BATCH_HEADER_BYTES, BatchBuf};
use crate::log::pace::Pace;
use crate::log::queue::detached::call_all;
use crate::log::queue::{EAGER_BYTES, Phase, Queue, State};
use crate::log::{Lsn, WrittenEnd};

/// How long a change without a waiting caller may stay in the queue.
const LINGER: Duration = Duration::from_millis(50);

/// How long the queue is empty before the writer leaves a mark that proves the last batch: longer
/// than the pauses between batches under load, and shorter than an operator's `kill -9`.
const IDLE: Duration = Duration::from_millis(10);

/// The same where the mark needs a sync that nothing else asked for ([`DurabilityMode::Os`]). A start
/// that comes during the sync waits for it, so it must be rare.
const IDLE_BEFORE_SYNC: Duration = Duration::from_secs(1);

/// The capacity that an emptied buffer keeps.
const BUFFER_KEEP_BYTES: usize = 1 << 20;

/// What the writer is to do next.
#[derive(Debug)]
pub(crate) struct Work {
    /// The batch to write; may be empty.
    pub(crate) batch: BatchBuf,
    /// The position of its first record.
    pub(crate) first: Lsn,
    /// Sync, whatever the mode.
    pub(crate) force_sync: bool,
    /// Begin a snapshot.
    pub(crate) snapshot: bool,
    /// No work follows.
    pub(crate) last: bool,
}

impl Queue {
    /// Waits for work and for the batching delay. Returns `None` once the store was dropped or
    /// failed.
    pub(crate) fn take(&self, pace: &Pace) -> Option<Work> {
        let mut state = self.state.lock();
        loop {
            match state.phase {
                Phase::Running => {}
                Phase::Closing => return Some(self.hand_out(state, true)),
                Phase::Closed | Phase::Abandoned | Phase::Failed(_) => return None,
            }
            let asked = state.sync_through > state.synced || state.snapshot_requested;
            if asked {
                return Some(self.hand_out(state, false));
            }
            if state.urgent {
                let patience = pace.left();
                if patience.is_zero() || state.open.len() > EAGER_BYTES {
                    return Some(self.hand_out(state, false));
                }
                // Callers do not wake the writer meanwhile: that is half of what gathering saves.
                state.gathering = true;
                self.work.wait_for(&mut state, patience);
                state.gathering = false;
                continue;
            }
            // Nothing to do at all: an idle store runs no timer.
            if state.open.is_empty() && !state.unproven {
                self.work.wait(&mut state);
                continue;
            }
            let patience = match self.mode {
                _ if !state.open.is_empty() => LINGER,
                DurabilityMode::Os => IDLE_BEFORE_SYNC,
                DurabilityMode::Fsync | DurabilityMode::None => IDLE,
            };
            let timed_out = self.work.wait_for(&mut state, patience).timed_out();
            if timed_out && state.phase == Phase::Running {
                return Some(self.hand_out(state, false));
            }
        }
    }

    /// Swaps the two buffers: callers fill the other one while this one is written.
    fn hand_out(&self, mut state: MutexGuard<'_, State>, last: bool) -> Work {
        let first = self.first_open(&state);
        let spare = state
            .spare
            .take()
            .expect("the writer has returned the other buffer");
        let batch = std::mem::replace(&mut state.open, spare);
        let taken = (batch.len() + BATCH_HEADER_BYTES) as u64;
        state.left = state.left.saturating_sub(taken);
        // Callers of this batch are waiting on its index already.
        state.open_index ^= 1;
        self.queued_bytes.store(0, Ordering::Relaxed);
        state.urgent = false;
        let work = Work {
            batch,
            first,
            force_sync: last || state.sync_through > state.synced,
            snapshot: std::mem::take(&mut state.snapshot_requested),
            last,
        };
        // Not under the lock: a woken task may append at once.
        drop(state);
        self.emptied.notify_waiters();
        work
    }

    /// Reports that the log is written up to `end`, this batch included, and that everything up to
    /// `synced` is on disk. `marked` tells whether a mark was left that says so, or does not fit. The
    /// segment in use has `left` bytes left.
    pub(crate) fn complete(
        &self,
        mut batch: BatchBuf,
        end: WrittenEnd,
        synced: Lsn,
        marked: bool,
        left: u64,
    ) {
        let written = end.last;
        let has_records = !batch.is_empty();
        batch.clear(BUFFER_KEEP_BYTES);
        let mut state = self.state.lock();
        self.durable.store(written, Ordering::Release);
        let is_new = has_records || synced > state.synced || state.unproven;
        let can_prove = synced == written || self.mode == DurabilityMode::Os;
        state.unproven = is_new && can_prove && !marked;
        state.end = Some(end);
        state.synced = synced;
        state.left = left;
        state.spare = Some(batch);
        let written_index = state.open_index ^ 1;
        let callbacks = state.detached.up_to(written);
        drop(state);
        self.progress.notify_all();
        self.written[written_index].notify_waiters();
        call_all(callbacks, CommitResult::Committed);
    }

    /// Tells where the log ends as the writer begins, and how many bytes the segment in use has
    /// left.
    pub(crate) fn begin(&self, end: WrittenEnd, left: u64) {
        let mut state = self.state.lock();
        state.end = Some(end);
        state.left = left;
    }

    /// Whether the store has stopped accepting changes.
    pub(crate) fn is_ending(&self) -> bool {
        !self.running.load(Ordering::Acquire)
    }

    /// Ends the store because of a failure. Returns `false` if it had ended before.
    pub(crate) fn fail(&self, why: String) -> bool {
        self.end(Phase::Failed(why))
    }

    /// The failure that ended the store has been reported.
    pub(crate) fn reported(&self) {
        self.state.lock().is_reported = true;
        self.ended.notify_waiters();
    }

    /// Ends the store after an orderly stop: everything is written and no thread is left.
    pub(crate) fn closed(&self) {
        self.end(Phase::Closed);
    }

    /// Ends the store at once; the writer stops where it stands.
    pub(crate) fn abandon(&self) {
        self.end(Phase::Abandoned);
    }

    /// Ends the store, unless it has ended, and wakes every waiting caller and thread.
    fn end(&self, phase: Phase) -> bool {
        let mut state = self.state.lock();
        if matches!(
            state.phase,
            Phase::Closed | Phase::Abandoned | Phase::Failed(_)
        ) {
            return false;
        }
        // A closed store has written everything. How far another one came is unknown.
        let callbacks = state.detached.up_to(Lsn::MAX);
        let result = match &phase {
            Phase::Closed => CommitResult::Committed,
            _ => CommitResult::Unknown,
        };
        state.phase = phase;
        self.running.store(false, Ordering::Release);
        drop(state);
        self.work.notify_all();
        self.progress.notify_all();
        for waiting in self.written.iter().chain([&self.emptied, &self.ended]) {
            waiting.notify_waiters();
        }
        call_all(callbacks, result);
        true
    }
}
