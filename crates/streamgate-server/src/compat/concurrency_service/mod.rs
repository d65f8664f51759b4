//! The dialect `concurrency-service`: one call, as a function behind an API gateway answered it.
//!
//! There are two kinds of errors. Those of the gateway are JSON with a `message`; those of the
//! function behind it are bare text, although the media type says JSON.

mod start_session;

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::{UtoipaMethodRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use super::answer;
use super::dialect::{Dialect, no_such_call};
use super::settings::{CompatSettings, DialectName};
use crate::problem::{ApiError, Code};
use crate::state::App;

/// The dialect.
#[derive(Debug)]
pub(crate) struct ConcurrencyService;

/// An error of the gateway.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    /// What is wrong.
    #[schema(example = "Forbidden")]
    message: String,
}

/// The header with the kind of a refusal of the gateway.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The body of the gateway for a function that failed, to the byte.
const FUNCTION_FAILED: &str = r#"{"message": "Internal server error"}"#;

impl Dialect for ConcurrencyService {
    const NAME: DialectName = DialectName::ConcurrencyService;

    const ERROR_SCHEMA: Option<&'static str> = Some("Message");

    const ABOUT: &'static str = "\
Starts sessions by GET, and does nothing else: a session ends with its lease, or by a call of \
`/v1`. The first segment of the path is the stage of the former gateway, and may be anything. HEAD \
starts no session.";

    const CHANGES_BY_GET: bool = true;

    const BEGINS_WITH_STAGE: bool = true;

    fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
        vec![routes!(start_session::start_session).map(no_head)]
    }

    /// The call without an id, or with a slash at its end. The router matches no empty segment as
    /// the last one, and these callers get an error that says what is missing.
    fn pages() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
        [
            "/{stage}/startSession/userId//sessionId/{sessionId}",
            "/{stage}/startSession/userId/{userId}/sessionId/",
            "/{stage}/startSession/userId//sessionId/",
            // The gateway accepted a slash at the end.
            "/{stage}/startSession/userId/{userId}/sessionId/{sessionId}/",
            "/{stage}/startSession/userId//sessionId/{sessionId}/",
        ]
        .map(|path| (path, no_head(get(start_session::start_session))))
        .into()
    }

    /// The original had an API key in front of it, always.
    fn asks_for_key(_settings: &CompatSettings) -> bool {
        true
    }

    fn failure(error: &ApiError) -> Response {
        let code = error.code();
        match code {
            Code::Unauthenticated | Code::Forbidden => {
                refused_by_gateway(StatusCode::FORBIDDEN, "Forbidden", "ForbiddenException")
            }
            Code::EntitlementUnusable => {
                refused_by_gateway(code.status(), error.detail(), "ForbiddenException")
            }
            Code::TooManyRequests => refused_by_gateway(
                code.status(),
                "Too Many Requests",
                "TooManyRequestsException",
            ),
            // Its clients know a single status for errors of the server.
            Code::StoreUnavailable
            | Code::StoreFull
            | Code::Overloaded
            | Code::IssuerUnavailable
            | Code::Internal => {
                answer::response(StatusCode::BAD_GATEWAY, answer::JSON, FUNCTION_FAILED)
            }
            Code::NotFound => message(code.status(), "Not Found"),
            Code::InvalidRequest => text(code.status(), error.detail().to_owned()),
            _ => message(code.status(), error.detail()),
        }
    }
}

/// The methods without HEAD: a GET route of axum serves HEAD as well, and would start a session.
fn no_head(methods: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    methods.head(no_such_call::<ConcurrencyService>)
}

/// A response of the gateway.
fn message(status: StatusCode, message: &str) -> Response {
    let message = message.to_owned();
    answer::json(status, &Message { message })
}

/// A refusal of the gateway, with its kind in a header.
fn refused_by_gateway(status: StatusCode, words: &str, kind: &'static str) -> Response {
    let mut response = message(status, words);
    let headers = response.headers_mut();
    headers.insert(ERROR_TYPE, HeaderValue::from_static(kind));
    response
}

/// A refusal of the function.
fn text(status: StatusCode, text: String) -> Response {
    answer::response(status, answer::JSON, text)
}
