//! The dialect `user-streams`: a GET starts a session and lists who is watching.
//!
//! Its clients are web pages, so it has its own CORS headers, a home page and an explorer.

mod cors;
mod pages;
mod reset_user;
mod start_session;

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::{UtoipaMethodRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use super::answer;
use super::dialect::{Dialect, no_such_call};
use super::path;
use super::settings::DialectName;
use crate::problem::{ApiError, Code};
use crate::routing::layers::RouteLayers;
use crate::state::App;

/// The dialect.
#[derive(Debug)]
pub(crate) struct UserStreams;

/// Path segments of the ids, counted from 0.
const USER_PLACE: usize = 1;
const SESSION_PLACE: usize = 2;

/// Names of the ids in errors.
const USER: &str = "userId";
const SESSION: &str = "sessionId";

/// Most bytes of a path that an answer repeats.
const PATH_ECHO_MAX_BYTES: usize = 160;

/// An answer that something is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failed<'a> {
    /// What is wrong.
    error: Failure<'a>,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
struct Failure<'a> {
    /// The status of the answer.
    #[serde(rename = "statusCode")]
    #[schema(example = 400)]
    status_code: u16,
    /// The kind of the failure.
    #[schema(example = "BadRequestError")]
    name: &'a str,
    /// What is wrong this time.
    #[schema(example = "userId must be UTF-8 when percent-decoded")]
    message: &'a str,
    /// `ENTITY_NOT_FOUND` where the user is not known; nothing else has a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, example = "ENTITY_NOT_FOUND")]
    code: Option<&'a str>,
}

impl Dialect for UserStreams {
    const NAME: DialectName = DialectName::UserStreams;

    const ERROR_SCHEMA: Option<&'static str> = Some("Failed");

    const ABOUT: &'static str = "\
Starts sessions by GET, and lists who is watching in the same answer: `allow` says whether the \
session holds a slot. Ids are percent-decoded and case-sensitive. HEAD starts no session. Pages of \
other origins may call where `cors.allowed_origins` allows theirs.";

    const HAS_HOME: bool = true;

    const CHANGES_BY_GET: bool = true;

    fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
        vec![
            // A GET route of axum serves HEAD as well.
            routes!(start_session::start_session).map(|methods| methods.head(no_such_call::<Self>)),
            routes!(reset_user::reset_user),
        ]
    }

    fn pages() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
        let mut pages = pages::pages();
        // The router matches an empty segment, unless it is the last one. Here it is no call.
        pages.push(("/user-streams//{sessionId}", MethodRouter::new()));
        // The framework of the original accepted a slash at the end.
        let start = get(start_session::start_session).head(no_such_call::<Self>);
        pages.push(("/user-streams/{userId}/{sessionId}/", start));
        let reset = delete(reset_user::reset_user);
        pages.push(("/user-streams/{userId}/", reset));
        pages.push(("/user-streams//", MethodRouter::new()));
        pages
    }

    fn path(path: &str) -> Cow<'_, str> {
        path::one_slash_in_front(path)
    }

    fn failure(error: &ApiError) -> Response {
        let code = error.code();
        failed(code.status(), name_of(code), error.detail(), None)
    }

    fn no_such_call(request: &Parts) -> Response {
        let path = request.uri.path();
        let path = &path[..path.floor_char_boundary(PATH_ECHO_MAX_BYTES)];
        let message = format!("Endpoint \"{} {path}\" not found.", request.method);
        failed(
            StatusCode::NOT_FOUND,
            name_of(Code::NotFound),
            &message,
            None,
        )
    }

    /// CORS as the original had it, for allowed origins.
    fn around(
        layers: &RouteLayers,
        route: &str,
        methods: MethodRouter<Arc<App>>,
    ) -> MethodRouter<Arc<App>> {
        let allowed = Arc::clone(layers.allowed_origins());
        layers.observe(
            route,
            methods.layer(from_fn_with_state(allowed, cors::allow_origins)),
        )
    }
}

/// The name of an error in the framework of the original.
fn name_of(code: Code) -> &'static str {
    match code {
        Code::InvalidRequest => "BadRequestError",
        Code::Unauthenticated => "UnauthorizedError",
        Code::Forbidden | Code::EntitlementUnusable => "ForbiddenError",
        Code::NotFound | Code::SessionUnknown => "NotFoundError",
        Code::MethodNotAllowed => "MethodNotAllowedError",
        Code::RequestTimeout => "RequestTimeoutError",
        Code::LimitReached | Code::SessionTaken | Code::BackupRunning | Code::BackupElsewhere => {
            "ConflictError"
        }
        Code::SessionEnded => "GoneError",
        Code::BodyTooLarge => "PayloadTooLargeError",
        Code::UnsupportedMediaType => "UnsupportedMediaTypeError",
        Code::TooManyRequests => "TooManyRequestsError",
        Code::NoStreams => "NotImplementedError",
        Code::Internal => "InternalServerError",
        Code::StoreUnavailable
        | Code::StoreFull
        | Code::Overloaded
        | Code::IssuerUnavailable
        | Code::NotConfigured
        | Code::Stopping => "ServiceUnavailableError",
    }
}

/// An answer that something is wrong.
fn failed(status: StatusCode, name: &str, message: &str, code: Option<&str>) -> Response {
    let error = Failure {
        status_code: status.as_u16(),
        name,
        message,
        code,
    };
    answer::json(status, &Failed { error })
}
