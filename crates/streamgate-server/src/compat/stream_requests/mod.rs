//! The dialect `stream-requests`: users are created before they may watch, and most responses are a
//! sentence.

mod create_user;
mod get_all_users;
mod get_user;
mod name;
mod remove_user;
mod request_stream;
mod root;
mod user;

pub use name::stream_session;

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::answer;
use super::dialect::Dialect;
use super::path;
use super::settings::DialectName;
use crate::problem::{ApiError, Code};
use crate::state::App;

/// The dialect.
#[derive(Debug)]
pub(crate) struct StreamRequests;

/// The keys of a user's profile that this dialect knows.
const NAME: &str = "Name";
const SUBSCRIPTION: &str = "Subscription";

/// Names of members of bodies and of parameters.
const ID: &str = "id";
const STREAM: &str = "stream";

/// The media type of sentences about success.
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The content security policy of a sentence: a browser runs and loads nothing.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

impl Dialect for StreamRequests {
    const NAME: DialectName = DialectName::StreamRequests;

    const ERROR_SCHEMA: Option<&'static str> = None;

    const ABOUT: &'static str = "\
Creates and removes users, and starts their streams: a stream is a session by its name, and `Name` \
and `Subscription` are kept in the user's profile. Only users that are known may watch. Paths \
ignore case and a slash at the end; bodies are JSON whatever their content type says. Nothing ends \
a single stream here: `/v1` does, and its lease. Names of streams are compared without case; ids of \
sessions that other APIs started are not.";

    fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
        vec![
            routes!(root::root),
            routes!(create_user::create_user),
            routes!(request_stream::request_stream),
            routes!(get_user::get_user),
            routes!(remove_user::remove_user),
            routes!(get_all_users::get_all_users),
        ]
    }

    fn path(path: &str) -> Cow<'_, str> {
        path::lenient(path)
    }

    fn failure(error: &ApiError) -> Response {
        let text = error.detail().to_owned();
        answer::response(error.code().status(), answer::TEXT, text)
    }
}

/// A response to a call that succeeded: a sentence that repeats what callers sent, as HTML, which
/// the clients of the original expect.
fn sentence(text: String) -> Response {
    let mut response = answer::response(StatusCode::OK, HTML, text);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// The error of an unknown user, and of requests about which the original said no more.
fn bad_request() -> ApiError {
    ApiError::new(Code::InvalidRequest, "Bad Request")
}

/// Replaces the detail of an invalid request by the two words of the original.
fn as_bad_request(error: ApiError) -> ApiError {
    match error.code() {
        Code::InvalidRequest => bad_request(),
        _ => error,
    }
}
