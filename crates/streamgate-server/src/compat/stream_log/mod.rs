//! The dialect `stream-log`: the server makes the ids of streams, and every body has a status.

mod end_stream;
mod start_stream;
mod user_name;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::answer;
use super::dialect::Dialect;
use super::settings::DialectName;
use crate::problem::{ApiError, Code};
use crate::state::App;

/// The dialect.
#[derive(Debug)]
pub(crate) struct StreamLog;

/// An answer that something went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedAnswer {
    /// The status of the answer.
    #[serde(rename = "statusCode")]
    #[schema(example = 400)]
    status_code: u16,
    /// What went wrong.
    message: Failed,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failed {
    /// What is wrong, in a sentence.
    #[schema(example = "Request missing userId")]
    error: String,
}

impl Dialect for StreamLog {
    const NAME: DialectName = DialectName::StreamLog;

    const ERROR_SCHEMA: Option<&'static str> = Some("FailedAnswer");

    const ABOUT: &'static str = "\
Starts and ends the streams of a user. The first segment of the path may be anything; bodies are \
JSON whatever their content type says. A number and the same digits as text are two users: the \
number 7 is the user `number:7` of every other API.";

    const BEGINS_WITH_STAGE: bool = true;

    fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
        vec![routes!(start_stream::start_stream, end_stream::end_stream)]
    }

    /// The same path with a slash at its end, which the gateway accepted.
    fn pages() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
        let calls = post(start_stream::start_stream).delete(end_stream::end_stream);
        vec![("/{stage}/stream/", calls)]
    }

    fn failure(error: &ApiError) -> Response {
        failed(error.code().status(), error.detail())
    }
}

/// A response that says what went wrong.
fn failed(status: StatusCode, error: impl Into<String>) -> Response {
    let failed = FailedAnswer {
        status_code: status.as_u16(),
        message: Failed {
            error: error.into(),
        },
    };
    answer::json(status, &failed)
}

/// The error of a member of the body that is missing or empty.
fn missing(field: &str) -> ApiError {
    ApiError::new(Code::InvalidRequest, format!("Request missing {field}"))
}
