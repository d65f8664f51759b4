//! Between the callers and the commit writer: the batch that is being filled, and who waits.
//!
//! Callers append under the lock of their shard, so the order of the log is, for each user, the
//! order in which the user's record changed. The lock here is held for a copy of a hundred bytes.

mod detached;
mod work;

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};
use streamgate_store::StoreError;

use crate::config::DurabilityMode;
use crate::log::Lsn;
use crate::log::frame::{BATCH_HEADER_BYTES, BatchBuf};
use crate::log::room::{Level, Room, full};
use crate::log::waiting::{Ticket, Waiting};

use detached::Detached;
pub(crate) use work::Work;

/// With this much in it a batch is written even if nobody waits for it.
const EAGER_BYTES: usize = 1 << 20;

/// What a record takes in a batch beside its key and its delta, and a batch at its end, at most.
const RECORD_OVERHEAD_BYTES: usize = 2 * 5 + BATCH_HEADER_BYTES;

/// The queue between callers and writer.
#[derive(Debug)]
pub(crate) struct Queue {
    mode: DurabilityMode,
    max_bytes: usize,
    state: Mutex<State>,
    /// The writer waits here for work.
    work: Condvar,
    /// Threads wait here for the synced position.
    progress: Condvar,
    /// The position of the last record appended.
    appended: AtomicU64,
    /// The position of the last record appended that somebody may wait for.
    appended_durable: AtomicU64,
    /// Everything up to here is as durable as the mode asks for.
    durable: AtomicU64,
    queued_bytes: AtomicUsize,
    /// Whether changes are taken; what the phase says, without its lock.
    running: AtomicBool,
    /// How much room the log has.
    pub(crate) room: Room,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The batch that is being filled.
    open: BatchBuf,
    /// The other buffer, while the writer does not have it.
    spare: Option<BatchBuf>,
    /// Bytes of the segment in use that no batch has been given yet.
    left: u64,
    /// Somebody waits for the open batch.
    urgent: bool,
    /// The writer lets the open batch fill up and looks at it again by itself.
    gathering: bool,
    /// Everything up to here is on disk, whatever the mode.
    synced: Lsn,
    /// Somebody needs everything up to here on disk.
    sync_through: Lsn,
    /// Somebody asked for a snapshot.
    snapshot_asked: bool,
    /// The last batch is on disk and nothing in the log says so yet.
    unproven: bool,
    /// The ticket that was given out last.
    last_ticket: Ticket,
    waiting_for_open: Waiting,
    waiting_for_written: Waiting,
    waiting_for_room: Waiting,
    waiting_for_end: Waiting,
    detached: Detached,
}

/// A call that waits for something. It leaves its list when it goes away.
struct Caller<'a> {
    queue: &'a Queue,
    ticket: Option<Ticket>,
}

impl<'a> Caller<'a> {
    fn new(queue: &'a Queue) -> Self {
        Self {
            queue,
            ticket: None,
        }
    }

    /// What it waited for has come about, so it is in no list any more.
    fn done(mut self) {
        self.ticket = None;
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let left = self.queue.state.lock().leave(ticket);
            drop(left);
        }
    }
}

impl State {
    /// Takes a call that goes away out of the list in which it waits.
    fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        [
            &mut self.waiting_for_open,
            &mut self.waiting_for_written,
            &mut self.waiting_for_room,
            &mut self.waiting_for_end,
        ]
        .into_iter()
        .find_map(|list| list.leave(ticket))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Running,
    /// What is queued is still written, nothing new is taken.
    Closing,
    Closed,
    /// Nothing is written any more: the store was dropped.
    Abandoned,
    Failed(String),
}

impl Queue {
    /// A queue behind a log that ends, on disk, with the record at `last`.
    pub(crate) fn new(mode: DurabilityMode, max_bytes: usize, last: Lsn) -> Self {
        Self {
            mode,
            max_bytes,
            state: Mutex::new(State {
                phase: Phase::Running,
                open: BatchBuf::new(),
                spare: Some(BatchBuf::new()),
                left: u64::MAX,
                urgent: false,
                gathering: false,
                synced: last,
                sync_through: last,
                snapshot_asked: false,
                unproven: false,
                last_ticket: 0,
                waiting_for_open: Waiting::default(),
                waiting_for_written: Waiting::default(),
                waiting_for_room: Waiting::default(),
                waiting_for_end: Waiting::default(),
                detached: Detached::default(),
            }),
            work: Condvar::new(),
            progress: Condvar::new(),
            appended: AtomicU64::new(last),
            appended_durable: AtomicU64::new(last),
            durable: AtomicU64::new(last),
            queued_bytes: AtomicUsize::new(0),
            running: AtomicBool::new(true),
            room: Room::new(),
        }
    }

    /// Whether the log has room for a change of so many bytes. Where there is plenty, the queue does
    /// not count.
    fn has_room_for(&self, state: &State, bytes: usize, needs_room: bool) -> bool {
        match self.room.level() {
            Level::Plenty => true,
            Level::Nothing => false,
            Level::Reserve => {
                let with_it = state.open.len() + bytes + RECORD_OVERHEAD_BYTES;
                !needs_room && with_it as u64 <= state.left
            }
        }
    }

    /// Appends a change; `durable` where it is to be waited for. The caller holds the lock of the
    /// record's shard, and changes the record only if this succeeds. One that `needs_room` is refused
    /// while that is scarce.
    pub(crate) fn append(
        &self,
        key: &[u8],
        delta: &[u8],
        durable: bool,
        needs_room: bool,
    ) -> Result<Lsn, StoreError> {
        let urgent = durable && self.mode != DurabilityMode::None;
        let mut state = self.state.lock();
        state.phase.check()?;
        if !self.has_room_for(&state, key.len() + delta.len(), needs_room) {
            return Err(full());
        }
        let was_empty = state.open.is_empty();
        state.open.push(key, delta);
        let lsn = self.appended.load(Ordering::Relaxed) + 1;
        // Only stored under the lock; read elsewhere without it.
        self.appended.store(lsn, Ordering::Release);
        if urgent {
            self.appended_durable.store(lsn, Ordering::Release);
        }
        self.queued_bytes.store(state.open.len(), Ordering::Relaxed);
        let hurry = urgent || state.open.len() > EAGER_BYTES;
        let wakes_writer = if state.gathering {
            state.open.len() > EAGER_BYTES
        } else {
            was_empty || (hurry && !state.urgent)
        };
        state.urgent |= hurry;
        drop(state);
        if wakes_writer {
            self.work.notify_one();
        }
        Ok(lsn)
    }

    /// The position of the last record appended.
    pub(crate) fn appended(&self) -> Lsn {
        self.appended.load(Ordering::Acquire)
    }

    /// The position of the last record appended that must not be seen before it is durable.
    pub(crate) fn appended_durable(&self) -> Lsn {
        self.appended_durable.load(Ordering::Acquire)
    }

    /// Everything up to here may be seen.
    pub(crate) fn durable(&self) -> Lsn {
        self.durable.load(Ordering::Acquire)
    }

    /// Whether changes are waited for at all.
    pub(crate) fn mode(&self) -> DurabilityMode {
        self.mode
    }

    /// Waits until everything up to `lsn` is durable.
    pub(crate) async fn wait_durable(&self, lsn: Lsn) -> Result<(), StoreError> {
        let mut caller = Caller::new(self);
        let durable = poll_fn(|cx| self.poll_durable(lsn, &mut caller.ticket, cx)).await;
        caller.done();
        durable
    }

    fn poll_durable(
        &self,
        lsn: Lsn,
        ticket: &mut Option<Ticket>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), StoreError>> {
        if self.durable() >= lsn {
            return Poll::Ready(Ok(()));
        }
        let mut state = self.state.lock();
        // Again: the writer may have been here in between.
        if self.durable() >= lsn {
            return Poll::Ready(Ok(()));
        }
        if let Phase::Failed(why) = &state.phase {
            return Poll::Ready(Err(StoreError::OutcomeUnknown(why.clone())));
        }
        let is_open = lsn >= self.first_open(&state);
        let State {
            waiting_for_open,
            waiting_for_written,
            last_ticket,
            ..
        } = &mut *state;
        let list = if is_open {
            waiting_for_open
        } else {
            waiting_for_written
        };
        let replaced = list.enter(ticket, last_ticket, cx);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Whether little enough is queued.
    pub(crate) fn has_room(&self) -> bool {
        self.queued_bytes.load(Ordering::Relaxed) < self.max_bytes
    }

    /// Waits while too much is queued. Memory stays bounded because callers wait here.
    pub(crate) async fn wait_room(&self) -> Result<(), StoreError> {
        if self.has_room() {
            return Ok(());
        }
        let mut caller = Caller::new(self);
        let room = poll_fn(|cx| {
            let mut state = self.state.lock();
            if state.phase.check().is_err() || state.open.len() < self.max_bytes {
                return Poll::Ready(state.phase.check());
            }
            let State {
                waiting_for_room,
                last_ticket,
                ..
            } = &mut *state;
            let replaced = waiting_for_room.enter(&mut caller.ticket, last_ticket, cx);
            drop(state);
            drop(replaced);
            Poll::Pending
        })
        .await;
        caller.done();
        room
    }

    /// Whether changes are taken.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.running.load(Ordering::Acquire) {
            return Ok(());
        }
        self.state.lock().phase.check()
    }

    /// The position of the first record of the open batch.
    fn first_open(&self, state: &State) -> Lsn {
        self.appended.load(Ordering::Relaxed) + 1 - u64::from(state.open.records())
    }
}

/// What others ask the writer for.
impl Queue {
    /// Asks for a snapshot.
    pub(crate) fn ask_snapshot(&self) {
        self.state.lock().snapshot_asked = true;
        self.work.notify_one();
    }

    /// Blocks until everything up to `lsn` is on disk, whatever the mode. `false` where the store
    /// ends before.
    pub(crate) fn sync_through(&self, lsn: Lsn) -> bool {
        let mut state = self.state.lock();
        state.sync_through = state.sync_through.max(lsn);
        self.work.notify_one();
        while state.synced < lsn {
            if state.phase != Phase::Running {
                return false;
            }
            self.progress.wait(&mut state);
        }
        true
    }

    /// Takes nothing new and waits until everything is written.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        let mut caller = Caller::new(self);
        let closed = poll_fn(|cx| {
            let mut state = self.state.lock();
            if state.phase == Phase::Running {
                state.phase = Phase::Closing;
                self.running.store(false, Ordering::Release);
                self.work.notify_all();
                self.progress.notify_all();
            }
            let State {
                phase,
                waiting_for_end,
                last_ticket,
                ..
            } = &mut *state;
            let replaced = match phase {
                Phase::Closed => return Poll::Ready(Ok(())),
                Phase::Failed(why) => {
                    return Poll::Ready(Err(StoreError::OutcomeUnknown(why.clone())));
                }
                Phase::Running | Phase::Closing | Phase::Abandoned => {
                    waiting_for_end.enter(&mut caller.ticket, last_ticket, cx)
                }
            };
            drop(state);
            drop(replaced);
            Poll::Pending
        })
        .await;
        caller.done();
        closed
    }
}

impl Phase {
    fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Running => Ok(()),
            Self::Closing | Self::Closed | Self::Abandoned => {
                Err(StoreError::Unavailable("the store is closed".to_owned()))
            }
            Self::Failed(why) => Err(StoreError::Unavailable(why.clone())),
        }
    }
}
