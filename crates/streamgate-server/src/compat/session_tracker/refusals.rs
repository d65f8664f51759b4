//! What every call can answer, for the document.

use utoipa::IntoResponses;

use super::Message;

/// What every call can answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(super) enum Always {
    /// This server asks for a key.
    #[response(status = 401)]
    Unauthenticated(Message),
    /// Too many requests.
    #[response(status = 429)]
    TooManyRequests(Message),
    /// The store cannot be used now.
    #[response(status = 500)]
    StoreUnavailable(Message),
}
