//! Shared by the batch endpoints: each entry succeeds or fails on its own, and the call fails if
//! the store failed for every entry.

use streamgate_core::bounds::BATCH_ENTRIES_MAX;
use streamgate_engine::EngineError;

use crate::problem::ApiError;

/// Refuses a batch of too many entries; `field` is the member of the body that lists them.
pub(super) fn check_len(field: &str, len: usize) -> Result<(), ApiError> {
    if len <= BATCH_ENTRIES_MAX {
        return Ok(());
    }
    let message = format!("must have at most {BATCH_ENTRIES_MAX} entries, has {len}");
    Err(ApiError::field(field, message))
}

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
