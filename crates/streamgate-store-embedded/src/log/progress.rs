//! Whether the commit writer makes progress, for a watchdog. It reads no clock: a watchdog compares
//! two looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shared::Shared;

/// The steps of the commit writer. Only the writer changes them.
#[derive(Debug, Default)]
pub(crate) struct Steps(AtomicU64);

impl Steps {
    /// The writer begins or ends a piece of work: odd means at work.
    pub(crate) fn begin_or_end(&self) {
        self.add(1);
    }

    /// The writer looked again for room on a full disk: at work still, and not stuck.
    pub(crate) fn look_again(&self) {
        self.add(2);
    }

    /// A load and a store: there is one writer, and a read-modify-write would cost more.
    fn add(&self, steps: u64) {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(before.wrapping_add(steps), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Looks at the commit writer of an open store, and keeps its memory until it is dropped.
pub struct CommitWatch {
    shared: Arc<Shared>,
    seen: Option<u64>,
}

impl CommitWatch {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, seen: None }
    }

    /// Whether the writer has work and has made no step since the last call: a write or a sync that
    /// does not return, or a writer that was not woken. A writer that waits for room on a full disk
    /// makes steps. The time between two calls is the caller's to choose, 100 ms at least, because
    /// changes that no call waits for are gathered for half as long.
    pub fn is_stuck(&mut self) -> bool {
        let steps = self.shared.steps.get();
        let is_same = self.seen.replace(steps) == Some(steps);
        let has_work = steps % 2 == 1 || self.shared.queue.has_queued();
        is_same && has_work
    }
}

impl std::fmt::Debug for CommitWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitWatch")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
