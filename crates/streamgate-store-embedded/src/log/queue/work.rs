//! The writer's side of the queue: it takes a batch, and tells everybody when it is on disk.

use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::MutexGuard;
use streamgate_store::CommitResult;

use crate::log::Lsn;
use crate::log::frame::{BATCH_HEADER_BYTES, BatchBuf};
use crate::log::pace::Pace;
use crate::log::queue::detached::tell;
use crate::log::queue::{EAGER_BYTES, Phase, Queue, State};
use crate::log::waiting::wake;

/// How long a change that nobody waits for may lie before it is written.
const LINGER: Duration = Duration::from_millis(50);

/// How long nothing happens before the writer leaves a mark which proves the last batch.
const IDLE: Duration = Duration::from_millis(200);

/// Memory that an emptied buffer keeps.
const BUFFER_KEEP_BYTES: usize = 1 << 20;

/// What the writer is to do next.
#[derive(Debug)]
pub(crate) struct Work {
    /// The batch to write; empty where there is none.
    pub(crate) batch: BatchBuf,
    /// The position of its first record.
    pub(crate) first: Lsn,
    /// It must be synced, whatever the mode.
    pub(crate) force_sync: bool,
    /// Begin a snapshot.
    pub(crate) snapshot: bool,
    /// This is the last work.
    pub(crate) last: bool,
}

impl Queue {
    /// Waits for work, and for the pace; `None` where the store was dropped or has failed.
    pub(crate) fn take(&self, pace: &Pace) -> Option<Work> {
        let mut state = self.state.lock();
        loop {
            match state.phase {
                Phase::Running => {}
                Phase::Closing => return Some(self.hand_out(state, true)),
                Phase::Closed | Phase::Abandoned | Phase::Failed(_) => return None,
            }
            let asked = state.sync_through > state.synced || state.snapshot_asked;
            if asked {
                return Some(self.hand_out(state, false));
            }
            if state.urgent {
                let patience = pace.left();
                if patience.is_zero() || state.open.len() > EAGER_BYTES {
                    return Some(self.hand_out(state, false));
                }
                // Nobody wakes the writer meanwhile: that is half of what gathering saves.
                state.gathering = true;
                self.work.wait_for(&mut state, patience);
                state.gathering = false;
                continue;
            }
            // Nothing to do at all: no timer runs in a store that nobody uses.
            if state.open.is_empty() && !state.unproven {
                self.work.wait(&mut state);
                continue;
            }
            let patience = if state.open.is_empty() { IDLE } else { LINGER };
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
        let State {
            waiting_for_open,
            waiting_for_written,
            ..
        } = &mut *state;
        // Whoever waits for this batch must not be woken by the next one only.
        waiting_for_open.move_to(waiting_for_written);
        self.queued_bytes.store(0, Ordering::Relaxed);
        state.urgent = false;
        let work = Work {
            batch,
            first,
            force_sync: last || state.sync_through > state.synced,
            snapshot: std::mem::take(&mut state.snapshot_asked),
            last,
        };
        // Tasks are woken without the lock: the first of them may append at once.
        let wakers = state.waiting_for_room.take();
        drop(state);
        wake(wakers);
        work
    }

    /// Tells everybody that the batch which ends at `written` is written, and `synced` on disk.
    /// The segment in use has `left` bytes left.
    pub(crate) fn complete(&self, mut batch: BatchBuf, written: Lsn, synced: Lsn, left: u64) {
        let is_mark = batch.is_empty();
        batch.clear(BUFFER_KEEP_BYTES);
        let mut state = self.state.lock();
        self.durable.store(written, Ordering::Release);
        state.unproven = !is_mark && synced == written;
        state.synced = synced;
        state.left = left;
        state.spare = Some(batch);
        let wakers = state.waiting_for_written.take();
        let callbacks = state.detached.up_to(written);
        drop(state);
        self.progress.notify_all();
        wake(wakers);
        tell(callbacks, CommitResult::Committed);
    }

    /// The segment in use has so many bytes left.
    pub(crate) fn set_left(&self, left: u64) {
        self.state.lock().left = left;
    }

    /// Whether the store takes no changes any more.
    pub(crate) fn is_ending(&self) -> bool {
        !self.running.load(Ordering::Acquire)
    }

    /// Stops everything because of a failure. `false` where it had ended before.
    pub(crate) fn fail(&self, why: String) -> bool {
        self.end(Phase::Failed(why))
    }

    /// Says that everything is written and no thread is left.
    pub(crate) fn closed(&self) {
        self.end(Phase::Closed);
    }

    /// Asks the writer to stop where it stands.
    pub(crate) fn abandon(&self) {
        self.end(Phase::Abandoned);
    }

    /// Ends the store, the first time that somebody asks for it, and wakes everybody.
    fn end(&self, phase: Phase) -> bool {
        let mut state = self.state.lock();
        if matches!(
            state.phase,
            Phase::Closed | Phase::Abandoned | Phase::Failed(_)
        ) {
            return false;
        }
        // A store that was closed has written everything. Of another nobody knows how far it came.
        let callbacks = state.detached.up_to(Lsn::MAX);
        let result = match &phase {
            Phase::Closed => CommitResult::Committed,
            _ => CommitResult::Unknown,
        };
        state.phase = phase;
        self.running.store(false, Ordering::Release);
        let wakers = [
            state.waiting_for_open.take(),
            state.waiting_for_written.take(),
            state.waiting_for_room.take(),
            state.waiting_for_end.take(),
        ];
        drop(state);
        self.work.notify_all();
        self.progress.notify_all();
        wake(wakers.into_iter().flatten().collect());
        tell(callbacks, result);
        true
    }
}
