//! Responses as the earlier systems wrote them: with their media types.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::wire::answer::with_body;

/// The media type of JSON in most dialects.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The media type of plain text.
pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A response with a JSON body.
pub(crate) fn json<T: Serialize>(status: StatusCode, answer: &T) -> Response {
    let bytes = serde_json::to_vec(answer).expect("answers have text as keys");
    response(status, JSON, bytes)
}

/// A response with this body.
pub(crate) fn response(
    status: StatusCode,
    media_type: HeaderValue,
    body: impl Into<Body>,
) -> Response {
    let mut response = with_body(status, media_type, body);
    let no_sniff = HeaderValue::from_static("nosniff");
    // Texts repeat what callers sent; a browser must not sniff HTML in them.
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, no_sniff);
    response
}
