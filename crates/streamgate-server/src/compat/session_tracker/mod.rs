//! The dialect `session-tracker`: it counts sessions without naming them.
//!
//! The server makes the ids, and a removal ends the newest session of the user.

mod add_session;
mod remove_session;
mod user_id;

pub use user_id::canonical;

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
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
pub(crate) struct SessionTracker;

/// The body of every response of this dialect.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    /// What happened, in a sentence.
    #[schema(example = "Number of active session incremented to 1")]
    message: String,
}

impl Dialect for SessionTracker {
    const NAME: DialectName = DialectName::SessionTracker;

    const ERROR_SCHEMA: Option<&'static str> = Some("Message");

    const ABOUT: &'static str = "\
Counts the sessions of a user, without ids: `add-session` starts one, `remove-session` ends the \
one that started last. Paths ignore case and a slash at the end; bodies are ignored.";

    fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
        vec![
            routes!(add_session::add_session),
            routes!(remove_session::remove_session),
        ]
    }

    fn path(path: &str) -> Cow<'_, str> {
        path::lenient(path)
    }

    fn failure(error: &ApiError) -> Response {
        let status = match error.code() {
            // Its clients know a single status for errors of the server.
            Code::StoreUnavailable
            | Code::StoreFull
            | Code::Overloaded
            | Code::IssuerUnavailable => StatusCode::INTERNAL_SERVER_ERROR,
            code => code.status(),
        };
        message(status, error.detail())
    }
}

/// A response with this message.
fn message(status: StatusCode, message: impl Into<String>) -> Response {
    let message = message.into();
    answer::json(status, &Message { message })
}
