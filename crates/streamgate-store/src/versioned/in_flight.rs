//! A commit in flight. It runs on if its call is dropped, so that its outcome is known.

use std::sync::Arc;

use streamgate_core::bounds::DETACHED_COMMITS_MAX;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{Committed, Write};
use crate::port::{BoxFuture, StoreError};
use crate::step::{CommitCallback, CommitResult, Step};

/// The answer to a commit, and the write that was sent.
pub(super) type Answered = (Result<Committed, StoreError>, Write);

/// The commits of a store that run on after their calls were dropped. Bounded in number; each ends
/// with its answer, or with the timeout of the server's store.
#[derive(Debug)]
pub(super) struct Detached(Arc<Semaphore>);

impl Detached {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(DETACHED_COMMITS_MAX)))
    }

    /// Spawns a task that finishes a commit and calls the callback. Beyond the bound, or outside a
    /// runtime, the commit is dropped and its outcome is unknown.
    fn run_on(&self, commit: BoxFuture<'static, Answered>, callback: CommitCallback) {
        let permit = Arc::clone(&self.0).try_acquire_owned();
        match (permit, Handle::try_current()) {
            (Ok(permit), Ok(runtime)) => drop(runtime.spawn(async move {
                let (answer, _) = commit.await;
                callback(result_of(&answer));
                drop(permit);
            })),
            _ => callback(CommitResult::Unknown),
        }
    }
}

/// A commit in flight, and the step that made its change.
pub(super) struct InFlight<'a> {
    /// `None` once it is answered.
    commit: Option<BoxFuture<'static, Answered>>,
    step: Step<'a>,
    detached: &'a Detached,
}

impl<'a> InFlight<'a> {
    pub(super) fn new(
        commit: BoxFuture<'static, Answered>,
        step: Step<'a>,
        detached: &'a Detached,
    ) -> Self {
        Self {
            commit: Some(commit),
            step,
            detached,
        }
    }

    /// Waits for the answer.
    pub(super) async fn answer(mut self) -> Answered {
        let commit = self.commit.as_mut().expect("it is answered once");
        let answered = commit.await;
        self.commit = None;
        answered
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(commit) = self.commit.take()
            && let Some(callback) = self.step.detach()
        {
            self.detached.run_on(commit, callback);
        }
    }
}

fn result_of(answer: &Result<Committed, StoreError>) -> CommitResult {
    match answer {
        Ok(Committed::Done) => CommitResult::Committed,
        Ok(Committed::Conflict(_)) => CommitResult::NotCommitted,
        Err(StoreError::OutcomeUnknown(_)) => CommitResult::Unknown,
        Err(_) => CommitResult::NotCommitted,
    }
}
