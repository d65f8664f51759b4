//! What every call can answer, for the document.

use utoipa::IntoResponses;

use super::{Envelope, Failed};

/// What every call can answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(super) enum Always {
    /// This server asks for a key.
    #[response(status = 401)]
    Unauthenticated(Envelope<Failed>),
    /// The body did not come in time.
    #[response(status = 408)]
    BodyTooSlow(Envelope<Failed>),
    /// The body is too large.
    #[response(status = 413)]
    BodyTooLarge(Envelope<Failed>),
    /// Too many requests.
    #[response(status = 429)]
    TooManyRequests(Envelope<Failed>),
    /// Something is wrong inside; the log says more.
    #[response(status = 500)]
    Internal(Envelope<Failed>),
    /// The store cannot be used now.
    #[response(status = 503)]
    StoreUnavailable(Envelope<Failed>),
}
