//! What every call can answer, for the document; and those with a body, too.

use utoipa::IntoResponses;

/// What every call about users can answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(super) enum Always {
    /// This server asks for a key.
    #[response(status = 401, content_type = "text/plain")]
    Unauthenticated(String),
    /// Too many requests.
    #[response(status = 429, content_type = "text/plain")]
    TooManyRequests(String),
    /// Something is wrong inside; the log says more.
    #[response(status = 500, content_type = "text/plain")]
    Internal(String),
    /// The store cannot be used now.
    #[response(status = 503, content_type = "text/plain", headers(("Retry-After" = u32, description = "Seconds to wait before asking again.")))]
    StoreUnavailable(String),
}

/// What a call with a body can answer too.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(super) enum WithBody {
    /// The body did not come in time.
    #[response(status = 408, content_type = "text/plain")]
    BodyTooSlow(String),
    /// The body is too large.
    #[response(status = 413, content_type = "text/plain")]
    BodyTooLarge(String),
    /// The body is compressed.
    #[response(status = 415, content_type = "text/plain", headers(("Accept-Encoding" = String, description = "`identity`")))]
    Compressed(String),
}
