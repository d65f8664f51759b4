//! Changes that are in the batch, and whose callers have gone: who is told when they are durable.

use streamgate_store::{CommitCallback, CommitResult};

use crate::log::Lsn;
use crate::log::queue::{Phase, Queue};

/// Callbacks, each with the position that it waits for.
#[derive(Default)]
pub(super) struct Detached(Vec<(Lsn, CommitCallback)>);

impl Detached {
    /// Takes out those that wait for no more than this.
    pub(super) fn up_to(&mut self, lsn: Lsn) -> Vec<(Lsn, CommitCallback)> {
        // Nearly always: no allocation, and no look at each.
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

impl std::fmt::Debug for Detached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Detached").field(&self.0.len()).finish()
    }
}

/// Tells each. Without the lock: a callback runs code of others.
pub(super) fn tell(callbacks: Vec<(Lsn, CommitCallback)>, result: CommitResult) {
    for (_, callback) in callbacks {
        callback(result);
    }
}

impl Queue {
    /// Tells the callback when everything up to `lsn` is durable, or that nobody can know.
    pub(crate) fn tell(&self, lsn: Lsn, callback: CommitCallback) {
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
