//! Reports to the observer what was committed: once, and also for dropped calls.
//!
//! What a call reports must have been committed. If that is unknown when the call ends, it is found
//! out: by the store, if the commit is still in flight (a [`CommitCallback`]), else by comparing
//! the user's record with what the call would have left in it (`resolve.rs`).

use std::sync::Arc;

use parking_lot::Mutex;
use streamgate_core::bounds::UNRESOLVED_CALLS_MAX;
use streamgate_core::{Event, UserKey};
use streamgate_store::{CommitCallback, CommitResult};
use tokio::sync::Notify;

use crate::observer::EngineObserver;
use crate::unresolved_runs::{UnresolvedRuns, is_reported};

/// Reports to an observer what was committed.
pub(crate) struct Reports {
    observer: Arc<dyn EngineObserver>,
    /// Calls that have ended without their outcome. Bounded; lost with the process, as the observer
    /// is.
    unresolved: Mutex<Vec<(UserKey, UnresolvedRuns<()>)>>,
    added: Notify,
}

impl Reports {
    pub(crate) fn new(observer: Arc<dyn EngineObserver>) -> Self {
        Self {
            observer,
            unresolved: Mutex::default(),
            added: Notify::new(),
        }
    }

    /// These events were committed. Renewals alone are not reported: they are nearly all calls, and
    /// change no count.
    pub(crate) fn committed(&self, user: &UserKey, events: &[Event]) {
        if is_reported(events) {
            self.observer.committed(user, events);
        }
    }

    /// A call has ended without its outcome.
    pub(crate) fn unresolved(&self, user: &UserKey, runs: UnresolvedRuns<()>) {
        if runs.is_empty() {
            return;
        }
        let mut unresolved = self.unresolved.lock();
        if unresolved.len() >= UNRESOLVED_CALLS_MAX {
            drop(unresolved);
            tracing::warn!(
                "too many calls without an outcome; \
                 counts of live sessions are wrong by one of them"
            );
            return;
        }
        unresolved.push((user.clone(), runs));
        drop(unresolved);
        self.added.notify_one();
    }

    pub(crate) fn unresolved_len(&self) -> usize {
        self.unresolved.lock().len()
    }

    pub(crate) fn take_unresolved(&self) -> Vec<(UserKey, UnresolvedRuns<()>)> {
        std::mem::take(&mut *self.unresolved.lock())
    }

    /// Waits until a call has ended without its outcome.
    pub(crate) async fn unresolved_added(&self) {
        self.added.notified().await;
    }

    /// The callback of a call that is dropped: it reports what became of its last run.
    pub(crate) fn callback(
        self: &Arc<Self>,
        user: &UserKey,
        mut runs: UnresolvedRuns<()>,
        last: Vec<Event>,
    ) -> CommitCallback {
        let (reports, user) = (Arc::clone(self), user.clone());
        Box::new(move |result| match result {
            CommitResult::Committed => reports.committed(&user, &runs.events_with(last)),
            CommitResult::NotCommitted => reports.unresolved(&user, runs),
            CommitResult::Unknown => {
                runs.add(last, ());
                reports.unresolved(&user, runs);
            }
        })
    }
}
