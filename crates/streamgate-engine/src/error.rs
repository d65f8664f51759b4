//! Why an operation has no outcome.

use streamgate_core::codec::CodecError;
use streamgate_store::{Refusal, StoreError};

/// Why an operation has no outcome. A refusal of a start is an outcome, not an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The store cannot be reached now. Nothing was changed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store can be reached and refuses, for now. Nothing was changed.
    #[error("{0}")]
    Refused(Refusal),
    /// The store has no room for what the operation would add. Nothing was changed.
    #[error("the store is full: {0}")]
    StoreFull(String),
    /// A stored record is of a newer version than this program reads, and says which. Nothing was
    /// changed. It names no user.
    #[error("a stored record cannot be read: {0}")]
    NewerRecord(String),
    /// The change may or may not have been made, and the retries did not tell.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
    /// The store did not answer before the deadline. The change may or may not have been made.
    #[error("the store did not answer within {0} ms")]
    DeadlineExceeded(u128),
    /// The operation would make the record of its user larger than the store can hold. Nothing was
    /// changed.
    #[error("the record would be too large for the store: {0}")]
    TooLarge(String),
    /// A stored record cannot be read, and why. It names no user.
    #[error("a stored record cannot be read: {0}")]
    Damaged(String),
    /// The session to start needs this version of records, and the store takes older ones only
    /// ([`Store::format`](streamgate_store::Store::format)). Nothing was changed.
    #[error("the session needs format {0} of the store, which is not in use yet")]
    NeedsFormat(u8),
    /// The cursor was not made by this service.
    #[error("the cursor is not valid")]
    BadCursor,
}

impl EngineError {
    /// Whether the same call may succeed a little later. Every command may be repeated: it is
    /// idempotent by the ids in it.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Refused(_)
            | Self::StoreFull(_)
            | Self::NewerRecord(_)
            | Self::OutcomeUnknown(_)
            | Self::DeadlineExceeded(_) => true,
            Self::TooLarge(_) | Self::Damaged(_) | Self::NeedsFormat(_) | Self::BadCursor => false,
        }
    }

    /// Whether the operation failed through no fault of its caller.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::NeedsFormat(_) | Self::BadCursor)
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Self::Unavailable(why),
            StoreError::Refused(refusal) => Self::Refused(refusal),
            StoreError::Full(why) => Self::StoreFull(why),
            StoreError::TooLarge(why) => Self::TooLarge(why),
            StoreError::OutcomeUnknown(why) => Self::OutcomeUnknown(why),
            StoreError::Damaged(why) => Self::Damaged(why),
            StoreError::NeedsFormat(format) => Self::NeedsFormat(format),
            StoreError::BadCursor => Self::BadCursor,
        }
    }
}

impl From<CodecError> for EngineError {
    /// The error of a stored record: of a newer version, or damaged.
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::NewerVersion(_) => Self::NewerRecord(error.to_string()),
            error => Self::Damaged(error.to_string()),
        }
    }
}
