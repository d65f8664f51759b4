//! What endpoints with many entries in one call share: the entries run together, each succeeds or
//! fails on its own, and a store that failed for all of them fails the call.

use std::future::Future;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use streamgate_engine::EngineError;

/// Why an entry has no outcome.
pub(super) enum EntryError {
    /// It is not valid; this says what is wrong.
    Invalid(String),
    /// The engine has none.
    Engine(EngineError),
}

/// An entry whose run has begun.
pub(super) enum Begun<T, F> {
    /// It ended at once.
    Done(T),
    /// It takes its time.
    Running(F),
}

/// Runs every entry, and gives what they came to in the same order. Those that were not answered at
/// once (a store over the network, a change that must be on disk) go on side by side: whichever can
/// do its next step does it. One that waited for its turn among them would keep others from a user
/// that it has locked, and two batches that do so to each other would never end.
pub(super) async fn run_all<F, T>(entries: impl ExactSizeIterator<Item = Begun<T, F>>) -> Vec<T>
where
    F: Future<Output = T>,
{
    let mut results: Vec<Option<T>> = Vec::with_capacity(entries.len());
    let mut running = FuturesUnordered::new();
    for (index, entry) in entries.enumerate() {
        results.push(match entry {
            Begun::Done(result) => Some(result),
            Begun::Running(entry) => {
                running.push(async move { (index, entry.await) });
                None
            }
        });
    }
    while let Some((index, result)) = running.next().await {
        results[index] = Some(result);
    }
    let results = results.into_iter();
    results
        .map(|result| result.expect("each entry was answered, at once or later"))
        .collect()
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
