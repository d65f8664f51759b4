//! Calls that are dropped while their change is in flight.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::conformance::steps::{decided, limit_in, put_limit, set_limit, user};
use crate::{Change, CommitCallback, CommitResult, StepFn, Store, StoreError, Transaction, View};

/// A call is dropped after at most this many polls without an answer.
const POLLS_MAX: usize = 12;

/// How long a store may take to find out the outcome of a dropped call.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sets a limit, and receives the outcome if its call is dropped.
struct SetLimit {
    limit: u32,
    result: Option<oneshot::Sender<CommitResult>>,
}

impl StepFn for SetLimit {
    fn run(&mut self, view: View<'_>) -> Option<Change> {
        decided(view, &set_limit(self.limit)).0
    }

    fn detach(&mut self) -> Option<CommitCallback> {
        let sender = self.result.take().expect("a step is detached once");
        Some(Box::new(move |result| {
            let _ = sender.send(result);
        }))
    }
}

/// Polls a call until it was pending `polls` times. Returns its answer if that comes first.
async fn polled(call: &mut Transaction<'_>, mut polls: usize) -> Option<Result<(), StoreError>> {
    if polls == 0 {
        return match call {
            Transaction::Done(answer) => Some(answer.clone()),
            Transaction::Pending(_) => None,
        };
    }
    poll_fn(|cx| {
        if let Poll::Ready(answer) = Pin::new(&mut *call).poll(cx) {
            return Poll::Ready(Some(answer));
        }
        polls -= 1;
        if polls == 0 {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// A call is dropped wherever it waits. The outcome that the store reports is what the record
/// shows; a call that was not detached has changed nothing.
pub async fn a_dropped_call_reports_its_outcome(store: Arc<dyn Store>) {
    for polls in (0..=POLLS_MAX).flat_map(|polls| [polls; 5]) {
        let key = user("u");
        put_limit(&*store, &key, 1).await;
        let (sender, result) = oneshot::channel();
        let mut step = SetLimit {
            limit: 2,
            result: Some(sender),
        };
        let mut call = store.transact(&key, &mut step);
        let answer = polled(&mut call, polls).await;
        drop(call);
        let is_made = match (answer, step.result.is_none()) {
            (Some(answer), is_detached) => {
                assert!(!is_detached, "a call that is answered is not detached");
                answer.expect("the store can be written");
                true
            }
            (None, false) => false,
            (None, true) => {
                let result = tokio::time::timeout(PATIENCE, result).await;
                let result = result.expect("in time").expect("the callback is called");
                assert_ne!(result, CommitResult::Unknown, "nothing was lost");
                result == CommitResult::Committed
            }
        };
        let limit = limit_in(&*store, &key).await;
        assert_eq!(limit == 2, is_made, "dropped at wait {polls}");
    }
}
