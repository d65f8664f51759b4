//! What endpoints with many entries in one call share: each entry succeeds or fails on its own, and
//! a store that failed for all of them fails the call.

use streamgate_engine::EngineError;

/// Why an entry has no outcome.
pub(super) enum EntryError {
    /// It is not valid; this says what is wrong.
    Invalid(String),
    /// The engine has none.
    Engine(EngineError),
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
