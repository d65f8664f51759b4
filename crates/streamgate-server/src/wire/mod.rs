//! Bytes in and out: reading bodies and queries, writing JSON. What every endpoint shares.
//!
//! What is *not* here: what the bytes mean; each endpoint has its own wire types.

pub(crate) mod body;
pub(crate) mod edit;
pub(crate) mod object;
pub(crate) mod query;
pub(crate) mod schema;
pub(crate) mod text_map;
pub(crate) mod time;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::problem::PROBLEM_JSON;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The usual answer fits without growing.
const ANSWER_CAPACITY_BYTES: usize = 512;

/// An answer with a JSON body.
pub(crate) fn json<T: Serialize>(status: StatusCode, answer: &T) -> Response {
    typed(status, JSON, answer)
}

/// A problem with a JSON body.
pub(crate) fn problem<T: Serialize>(status: StatusCode, problem: &T) -> Response {
    typed(status, PROBLEM_JSON, problem)
}

/// An answer without a body.
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// An answer with a body, serialized once, into memory that usually suffices.
fn typed<T: Serialize>(status: StatusCode, media_type: HeaderValue, value: &T) -> Response {
    let mut bytes = Vec::with_capacity(ANSWER_CAPACITY_BYTES);
    serde_json::to_writer(&mut bytes, value).expect("answers have text as keys");
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}
