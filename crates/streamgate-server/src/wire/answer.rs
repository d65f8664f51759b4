//! Responses: a status, a media type, and JSON that is serialized once.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

/// The media type of problems, RFC 9457.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The media type of JSON.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The media type of event streams.
pub(crate) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Initial capacity of a body: enough for the response to a start with all its metadata.
const ANSWER_CAPACITY_BYTES: usize = 768;

/// A response with a JSON body.
pub(crate) fn json<T: Serialize>(status: StatusCode, answer: &T) -> Response {
    json_as(status, JSON, answer)
}

/// A response whose JSON body is a problem.
pub(crate) fn problem<T: Serialize>(status: StatusCode, problem: &T) -> Response {
    json_as(status, PROBLEM_JSON, problem)
}

/// A 204 without a body.
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A response with a JSON body of this media type.
fn json_as<T: Serialize>(status: StatusCode, media_type: HeaderValue, value: &T) -> Response {
    let mut bytes = Vec::with_capacity(ANSWER_CAPACITY_BYTES);
    serde_json::to_writer(&mut bytes, value).expect("answers have text as keys");
    with_body(status, media_type, bytes)
}

/// A response with this body.
pub(crate) fn with_body(
    status: StatusCode,
    media_type: HeaderValue,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}
