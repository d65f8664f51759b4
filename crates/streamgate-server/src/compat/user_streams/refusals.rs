//! What every call can answer, for the document.

use utoipa::IntoResponses;

use super::Failed;

/// What every call can answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(super) enum Always<'a> {
    /// This server asks for a key.
    #[response(status = 401)]
    Unauthenticated(Failed<'a>),
    /// Too many requests.
    #[response(status = 429)]
    TooManyRequests(Failed<'a>),
    /// Something is wrong inside; the log says more.
    #[response(status = 500)]
    Internal(Failed<'a>),
    /// The store cannot be used now.
    #[response(status = 503, headers(("Retry-After" = u32, description = "Seconds to wait before asking again.")))]
    StoreUnavailable(Failed<'a>),
}
