//! The preparer: keeps one segment zeroed ahead, so that a commit never waits for zeros.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

use crate::log::segment::Segment;

/// Segments that are ready, between the preparer and the writer.
#[derive(Debug)]
pub(crate) struct Ready {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    segments: VecDeque<Segment>,
    /// The store has ended.
    stopped: bool,
}

impl Ready {
    pub(crate) fn new(segments: VecDeque<Segment>) -> Self {
        Self {
            state: Mutex::new(State {
                segments,
                stopped: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Takes the next segment, waiting for it if it must; `None` after [`Ready::stop`].
    pub(crate) fn take(&self) -> Option<Segment> {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(segment) = state.segments.pop_front() {
                self.changed.notify_all();
                return Some(segment);
            }
            self.changed.wait(&mut state);
        }
    }

    /// Waits until a segment is wanted; `false` after [`Ready::stop`].
    pub(crate) fn wanted(&self) -> bool {
        let mut state = self.state.lock();
        while !state.stopped && !state.segments.is_empty() {
            self.changed.wait(&mut state);
        }
        !state.stopped
    }

    /// Hands a segment over.
    pub(crate) fn put(&self, segment: Segment) {
        self.state.lock().segments.push_back(segment);
        self.changed.notify_all();
    }

    /// Ends the waiting on both sides.
    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}
