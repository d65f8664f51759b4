//! What endpoints with many entries in one call share: the entries run together, each succeeds or
//! fails on its own, and a store that failed for all of them fails the call.

use std::future::{self, Future};
use std::pin::Pin;
use std::task::Poll;

use streamgate_engine::EngineError;

/// Why an entry has no outcome.
pub(super) enum EntryError {
    /// It is not valid; this says what is wrong.
    Invalid(String),
    /// The engine has none.
    Engine(EngineError),
}

/// Runs every entry, and gives what they came to in the same order. Those that are not answered at
/// once (a store over the network, a change that must be on disk) are waited for together: each has
/// been set going before the first wait.
pub(super) async fn run_all<'a, F, T>(entries: impl ExactSizeIterator<Item = F>) -> Vec<T>
where
    F: Future<Output = T> + Send + 'a,
    T: Send,
{
    enum Slot<'a, T> {
        Done(T),
        Running(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
    }

    let mut slots = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut running: Pin<Box<dyn Future<Output = T> + Send + 'a>> = Box::pin(entry);
        let first_poll = future::poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await;
        slots.push(match first_poll {
            Poll::Ready(result) => Slot::Done(result),
            Poll::Pending => Slot::Running(running),
        });
    }
    let mut results = Vec::with_capacity(slots.len());
    for slot in slots {
        results.push(match slot {
            Slot::Done(result) => result,
            Slot::Running(running) => running.await,
        });
    }
    results
}

/// The last error, if every entry failed by the store and another try may help.
pub(super) fn store_failed_for_all<T>(results: &[Result<T, EntryError>]) -> Option<&EngineError> {
    let mut last = None;
    for result in results {
        match result {
            Err(EntryError::Engine(error)) if error.is_retryable() => last = Some(error),
            _ => return None,
        }
    }
    last
}
