//! Why an operation has no outcome.

use streamgate_core::UserKey;
use streamgate_core::codec::CodecError;
use streamgate_store::StoreError;

/// Why an operation has no outcome. A refusal is an outcome, not an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The store cannot be used now. Nothing was changed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The change may or may not have been made, and reading back did not tell.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
    /// The store did not answer before the deadline. The change may or may not have been made.
    #[error("the store did not answer within {0} ms")]
    DeadlineExceeded(u128),
    /// The stored record of the user cannot be read.
    #[error("the stored record of user {user:?} is damaged: {error}")]
    Damaged {
        /// The user's id.
        user: String,
        /// What is wrong with the record.
        error: CodecError,
    },
    /// The cursor was not made by this service.
    #[error("the cursor is not valid")]
    BadCursor,
}

impl EngineError {
    /// The record of this user cannot be read.
    pub(crate) fn damaged(user: &UserKey, error: CodecError) -> Self {
        let user = user.user().to_owned();
        Self::Damaged { user, error }
    }

    /// Whether the same call may succeed a little later. Every command may be repeated: it is
    /// idempotent by the ids in it.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::OutcomeUnknown(_) | Self::DeadlineExceeded(_) => true,
            Self::Damaged { .. } | Self::BadCursor => false,
        }
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Self::Unavailable(why),
            StoreError::OutcomeUnknown(why) => Self::OutcomeUnknown(why),
            StoreError::BadCursor => Self::BadCursor,
        }
    }
}
