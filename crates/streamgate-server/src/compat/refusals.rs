//! Responses that the endpoints of a dialect share, for its document. Their status and media type
//! are those of [`Dialect::failure`].
//!
//! What is *not* here: `concurrency-service`, whose gateway named the kind of each refusal in a
//! header; its one endpoint documents them.

use axum::http::header::CONTENT_TYPE;
use utoipa::PartialSchema as _;
use utoipa::openapi::Ref;

use super::dialect::Dialect;
use crate::problem::{ApiError, Code};
use crate::problem_docs::{self, CommonErrors, Responses};

/// The common errors of the dialect `D`.
pub(super) fn common<D: Dialect>() -> CommonErrors {
    CommonErrors {
        always: responses::<D>(&[
            (Code::Unauthenticated, "This server asks for a key."),
            (
                Code::Forbidden,
                "The scope of the key does not include this; or a viewer token names another user.",
            ),
            (Code::TooManyRequests, "Too many requests."),
            (
                Code::Internal,
                "Something is wrong inside; the log says more.",
            ),
            (Code::StoreUnavailable, "The store cannot be used now."),
        ]),
        with_body: responses::<D>(&[
            (Code::RequestTimeout, "The body did not come in time."),
            (Code::BodyTooLarge, "The body is too large."),
            (Code::UnsupportedMediaType, "The body is compressed."),
        ]),
    }
}

/// The responses of these codes. Of codes with the same status, the last one counts.
fn responses<D: Dialect>(codes: &[(Code, &str)]) -> Responses {
    let response = |&(code, about): &(Code, &str)| {
        let failure = D::failure(&ApiError::new(code, ""));
        let media_type = failure.headers()[CONTENT_TYPE].to_str().unwrap_or_default();
        let (media_type, _charset) = media_type.split_once(';').unwrap_or((media_type, ""));
        let schema = match D::ERROR_SCHEMA {
            Some(name) => Ref::from_schema_name(name).into(),
            None => String::schema(),
        };
        let documented = problem_docs::response(code, about, media_type, schema);
        (failure.status().as_str().to_owned(), documented.into())
    };
    codes.iter().map(response).collect()
}
