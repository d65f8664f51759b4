//! Callbacks for queued changes whose calls were dropped: they report whether the change became
//! durable (ADR 0015).

use streamgate_store::{CommitCallback, CommitResult};

use crate::log::Lsn;
use crate::log::queue::{Phase, Queue};

/// Callbacks, each with the position it waits for.
#[derive(Default)]
pub(super) struct Detached(Vec<(Lsn, CommitCallback)>);

impl Detached {
    /// Removes and returns the callbacks for positions up to `lsn`.
    pub(super) fn up_to(&mut self, lsn: Lsn) -> Vec<(Lsn, CommitCallback)> {
        // The common case, without an allocation.
        if self.0.is_empty() {
            return Vec::new();
        }
        let (due, later) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(waits_for, _)| *waits_for <= lsn);
        self.0 = later;
        due
    }
}

/// Runs the callbacks. Not under the lock: they run code of the engine.
pub(super) fn call_all(callbacks: Vec<(Lsn, CommitCallback)>, result: CommitResult) {
    for (_, callback) in callbacks {
        callback(result);
    }
}

impl Queue {
    /// Calls `callback` once everything up to `lsn` is durable, or once that can no longer be
    /// known.
    pub(crate) fn call_when_durable(&self, lsn: Lsn, callback: CommitCallback) {
        let mut state = self.state.lock();
        let result = if self.durable() >= lsn {
            CommitResult::Committed
        } else if matches!(state.phase, Phase::Failed(_) | Phase::Abandoned) {
            CommitResult::Unknown
        } else {
            state.detached.0.push((lsn, callback));
            return;
        };
        drop(state);
        callback(result);
    }
}
