//! The preparer thread: keeps one segment zeroed ahead, so that a commit never waits for zeros.
//! Once a second it also checks that the files are still there and, on a full disk, whether there
//! is room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::fatal::FatalError;
use crate::log::room::Level;
use crate::log::segment::Segment;
use crate::shared::Shared;

/// How often the files and the free space are checked.
const TICK: Duration = Duration::from_secs(1);

/// On a full disk: how often a snapshot, which may free old segments, is tried.
const SNAPSHOT_TICKS: u32 = 30;

/// The longest pause, in ticks, after a segment did not fit although the disk reported enough free
/// space (a quota).
const PAUSE_MAX_TICKS: u32 = 32;

/// Prepared segments, handed from the preparer to the writer.
#[derive(Debug)]
pub(crate) struct PreparedSegments {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    segments: VecDeque<Segment>,
    /// The store has ended.
    stopped: bool,
}

/// The result of waiting for a segment.
pub(crate) enum Taken {
    Segment(Segment),
    /// Timed out.
    NotYet,
    /// The store has ended.
    Stopped,
}

/// What the preparer is to do.
enum Wanted {
    Segment,
    /// A tick has passed: check the files.
    Check,
    Stop,
}

impl PreparedSegments {
    pub(crate) fn new(segments: VecDeque<Segment>) -> Self {
        Self {
            state: Mutex::new(State {
                segments,
                stopped: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Takes the next segment. Waits for it up to `timeout`. `before` runs first, while the
    /// preparer still rests: it makes the next one only when this one is taken.
    pub(crate) fn take(&self, timeout: Duration, before: impl FnOnce()) -> Taken {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return Taken::Stopped;
            }
            if let Some(segment) = state.segments.pop_front() {
                before();
                self.changed.notify_all();
                return Taken::Segment(segment);
            }
            if self.changed.wait_for(&mut state, timeout).timed_out() {
                return Taken::NotYet;
            }
        }
    }

    /// Whether a segment is ready.
    pub(crate) fn has_one(&self) -> bool {
        !self.state.lock().segments.is_empty()
    }

    /// Runs `then` if a segment is ready, and keeps the writer from taking it meanwhile.
    fn if_any(&self, then: impl FnOnce()) {
        let state = self.state.lock();
        if !state.segments.is_empty() {
            then();
        }
    }

    /// Waits until a segment is wanted, for one tick at most.
    fn wanted(&self) -> Wanted {
        let mut state = self.state.lock();
        while !state.stopped && !state.segments.is_empty() {
            if self.changed.wait_for(&mut state, TICK).timed_out() {
                return Wanted::Check;
            }
        }
        if state.stopped {
            Wanted::Stop
        } else {
            Wanted::Segment
        }
    }

    /// Sleeps for `pause`, or until the store has ended.
    pub(crate) fn wait(&self, pause: Duration) {
        let mut state = self.state.lock();
        while !state.stopped && !self.changed.wait_for(&mut state, pause).timed_out() {}
    }

    /// Hands a segment over.
    fn put(&self, segment: Segment) {
        self.state.lock().segments.push_back(segment);
        self.changed.notify_all();
    }

    /// Ends the waiting on both sides.
    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// Makes segments until the store ends.
pub(crate) fn prepare(shared: &Arc<Shared>, first_number: u64) {
    let mut number = first_number;
    // On a full disk: for how many ticks, how many are left until the next try, and how often in a
    // row a segment did not fit although the disk reported enough free space.
    let (mut ticks, mut pause, mut misfits) = (0_u32, 0_u32, 0_u32);
    loop {
        match shared.prepared.wanted() {
            Wanted::Stop => return,
            // A write into the segment in use had found no room; the next segment is prepared.
            Wanted::Check if shared.queue.room.level() == Level::Reserve => {
                shared.prepared.if_any(|| shared.set_room(Level::Plenty));
            }
            Wanted::Check => {}
            Wanted::Segment if pause > 0 => {
                shared.prepared.wait(TICK);
                pause -= 1;
                ticks += 1;
                if ticks.is_multiple_of(SNAPSHOT_TICKS) {
                    shared.queue.request_snapshot();
                }
            }
            Wanted::Segment if !seems_to_fit(shared) => {
                full(shared, ticks);
                pause = 1;
            }
            Wanted::Segment => match make(shared, number) {
                Ok(segment) => {
                    number += 1;
                    (ticks, misfits) = (0, 0);
                    // In this order: the writer sets the reserve when it takes the last one.
                    shared.set_room(Level::Plenty);
                    shared.prepared.put(segment);
                }
                Err(error) if error.is_full() => {
                    full(shared, ticks);
                    // Each try fills the disk to the brim, so it is not made every second.
                    pause = 1 << misfits.min(PAUSE_MAX_TICKS.ilog2());
                    misfits = misfits.saturating_add(1);
                }
                Err(error) => return shared.fail(error),
            },
        }
        if let Err(error) = shared.check_in_place() {
            return shared.fail(error);
        }
    }
}

/// The next segment has no room. On the first tick, requests a snapshot, which may free old ones.
fn full(shared: &Shared, ticks: u32) {
    if ticks == 0 {
        shared.set_room(Level::Reserve);
        shared.queue.request_snapshot();
    }
}

fn make(shared: &Shared, number: u64) -> Result<Segment, FatalError> {
    let (capacity, seed) = (shared.config.segment_bytes, shared.table.seed());
    Segment::create(&*shared.disk, number, capacity, seed)
}

/// Whether one more segment fits, by the free space that the disk reports.
pub(crate) fn seems_to_fit(shared: &Shared) -> bool {
    match shared.disk.space() {
        Ok(Some(space)) => space.free >= shared.config.segment_bytes,
        Ok(None) | Err(_) => true,
    }
}
