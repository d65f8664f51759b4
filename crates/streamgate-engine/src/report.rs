//! Telling the observer what was committed: once, and also for calls whose callers have gone.
//!
//! What a call reports must have happened. Where that is not known when the call ends, it is found
//! out: by the store, where the commit is still on its way (a [`CommitCallback`]), else by
//! comparing the user's record with what the call would have left in it ([`Unresolved`]).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use streamgate_core::admission::Settle;
use streamgate_core::bounds::UNRESOLVED_CALLS_MAX;
use streamgate_core::{Event, UserKey};
use streamgate_store::{CommitCallback, CommitResult};
use tokio::sync::Notify;

use crate::call::Call;
use crate::doubt::{Doubt, is_reported};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::observer::EngineObserver;

/// How long to wait before records are read: a commit whose answer was lost may still arrive, and a
/// store that is away be back.
const READ_EVERY: Duration = Duration::from_secs(1);

/// How many records are read at once.
const AT_ONCE: usize = 32;

/// Tells an observer what was committed.
pub(crate) struct Reports {
    observer: Arc<dyn EngineObserver>,
    unresolved: Unresolved,
}

impl Reports {
    pub(crate) fn new(observer: Arc<dyn EngineObserver>) -> Self {
        Self {
            observer,
            unresolved: Unresolved::default(),
        }
    }

    /// These events were committed. Renewals alone are not reported: nobody decides by them, and
    /// nearly all calls are renewals.
    pub(crate) fn committed(&self, user: &UserKey, events: &[Event]) {
        if is_reported(events) {
            self.observer.committed(user, events);
        }
    }

    /// A call has ended without its outcome.
    pub(crate) fn unresolved(&self, user: &UserKey, doubt: Doubt<()>) {
        if !doubt.is_empty() {
            self.unresolved.add(user.clone(), doubt);
        }
    }

    /// Hears for a caller that has gone what became of the last run of its command.
    pub(crate) fn callback(
        self: &Arc<Self>,
        user: &UserKey,
        mut doubt: Doubt<()>,
        last: Vec<Event>,
    ) -> CommitCallback {
        let (reports, user) = (Arc::clone(self), user.clone());
        Box::new(move |result| match result {
            CommitResult::Committed => reports.committed(&user, &doubt.events_with(last)),
            CommitResult::NotCommitted => reports.unresolved(&user, doubt),
            CommitResult::Unknown => {
                doubt.add(last, ());
                reports.unresolved(&user, doubt);
            }
        })
    }
}

/// Calls that have ended without their outcome. Bounded; lost with the process, as the observer is.
#[derive(Default)]
struct Unresolved {
    calls: Mutex<VecDeque<(UserKey, Doubt<()>)>>,
    added: Notify,
}

impl Unresolved {
    fn add(&self, user: UserKey, doubt: Doubt<()>) {
        let mut calls = self.calls.lock();
        if calls.len() >= UNRESOLVED_CALLS_MAX {
            drop(calls);
            tracing::warn!(
                "too many calls without an outcome; counts of live sessions are wrong by one of them"
            );
            return;
        }
        calls.push_back((user, doubt));
        drop(calls);
        self.added.notify_one();
    }

    fn take(&self) -> VecDeque<(UserKey, Doubt<()>)> {
        std::mem::take(&mut *self.calls.lock())
    }
}

impl Engine {
    /// How many calls have ended without their outcome, so that the observer has not heard yet
    /// whether their changes were committed.
    #[must_use]
    pub fn unresolved_calls(&self) -> usize {
        self.reports.unresolved.calls.lock().len()
    }

    /// Finds out what became of calls that ended without their outcome, and reports it, until
    /// dropped. No answer depends on it.
    pub async fn resolve_forever(&self) {
        loop {
            self.reports.unresolved.added.notified().await;
            while self.unresolved_calls() > 0 {
                tokio::time::sleep(READ_EVERY).await;
                let calls = self.reports.unresolved.take();
                stream::iter(calls)
                    .for_each_concurrent(AT_ONCE, |(user, doubt)| self.resolve(user, doubt))
                    .await;
            }
        }
    }

    /// Brings a record up to the present, compares it with what the call would have left, and
    /// reports what happened. Where the store has no answer, the call stays unresolved.
    async fn resolve(&self, user: UserKey, doubt: Doubt<()>) {
        let call = Call::resolving(self, &user, &Settle, doubt);
        match self.within_deadline(call.run_until_known()).await {
            Ok(Ok(decision)) => self.reports.committed(&user, &decision.events),
            Ok(Err(error @ (EngineError::Damaged(_) | EngineError::NewerRecord(_)))) => {
                tracing::error!(%error, "what became of a call cannot be found out");
            }
            Ok(Err(error)) | Err(error) => {
                tracing::debug!(%error, "what became of a call is not known yet");
            }
        }
    }
}
