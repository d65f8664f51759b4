//! Writing answers as the earlier systems wrote them, media type and all.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

/// The media type of JSON in most dialects.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The media type of plain text.
pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer with a JSON body.
pub(crate) fn json<T: Serialize>(status: StatusCode, answer: &T) -> Response {
    let bytes = serde_json::to_vec(answer).expect("answers have text as keys");
    response(status, JSON, bytes)
}

/// An answer with this body.
pub(crate) fn response(
    status: StatusCode,
    media_type: HeaderValue,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    // Callers' words come back in texts; no browser may take one for a page.
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
