//! What every call can answer, for the document.

use utoipa::IntoResponses;

use super::FailedAnswer;

/// What every call can answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(super) enum Always {
    /// This server asks for a key.
    #[response(status = 401)]
    Unauthenticated(FailedAnswer),
    /// The body did not come in time.
    #[response(status = 408)]
    BodyTooSlow(FailedAnswer),
    /// The body is too large.
    #[response(status = 413)]
    BodyTooLarge(FailedAnswer),
    /// The body is compressed.
    #[response(status = 415, headers(("Accept-Encoding" = String, description = "`identity`")))]
    Compressed(FailedAnswer),
    /// Too many requests.
    #[response(status = 429)]
    TooManyRequests(FailedAnswer),
    /// Something is wrong inside; the log says more.
    #[response(status = 500)]
    Internal(FailedAnswer),
    /// The store cannot be used now.
    #[response(status = 503)]
    StoreUnavailable(FailedAnswer),
}
