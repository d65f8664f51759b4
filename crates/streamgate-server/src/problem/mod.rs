//! Errors of the API: RFC 9457 problems, one code for each kind.
//!
//! What is *not* here: the problems with members of their own (`limit_reached`, `session_ended`);
//! they stand with their endpoints, in [`crate::v1`].

mod code;
mod fields;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use streamgate_engine::EngineError;
use streamgate_tokens::Fetching;
use utoipa::ToSchema;

use crate::telemetry::audit::Entry;
use crate::wire::answer;

pub(crate) use code::Code;
use fields::FieldError;
pub(crate) use fields::{FieldErrors, shortened};

/// `Retry-After` while the store cannot be used, in seconds.
const STORE_RETRY_AFTER_S: u32 = 1;

/// `Retry-After` while the store is full, in seconds: an operator or a snapshot makes room.
const FULL_RETRY_AFTER_S: u32 = 10;

/// A problem (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Where this kind of problem is described.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/docs/problems#invalid_request")]
    kind: &'static str,
    /// What is wrong, in a few words that are the same for every problem of this code.
    #[schema(example = "The request is not valid")]
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 400)]
    status: u16,
    /// What is wrong this time, in a sentence.
    #[schema(value_type = String, example = "device_id must not be empty")]
    detail: Cow<'static, str>,
    /// The kind of the problem.
    code: Code,
    /// Each field that is wrong; only with `invalid_request`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl Problem {
    /// A problem of this kind; `detail` says what is wrong this time.
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: code.uri(),
            title: code.title(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code,
            errors: Vec::new(),
        }
    }
}

/// The error of a request: a problem, a header, and a cause for the log. Its response carries it as
/// an extension: the log has the cause from there, and a dialect writes a response of its own.
#[derive(Debug, Clone)]
pub(crate) struct ApiError(Box<Failure>);

#[derive(Debug, Clone)]
struct Failure {
    problem: Problem,
    /// A header that the code asks for.
    header: Option<(HeaderName, HeaderValue)>,
    /// For the log only.
    cause: Option<String>,
    /// The line of the call in the audit log.
    audit: Option<Arc<Entry>>,
    /// The keys that the request waits for, if they are being fetched.
    fetching: Option<Fetching>,
}

impl ApiError {
    /// A problem of this kind; `detail` says what is wrong this time, and is shown to callers.
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Failure {
            problem: Problem::new(code, detail),
            header: None,
            cause: None,
            audit: None,
            fetching: None,
        }))
    }

    /// A problem with one field.
    pub(crate) fn field(field: impl Into<String>, message: impl fmt::Display) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(field, message);
        errors.into()
    }

    /// A problem of this kind that asks for a retry after this many seconds.
    pub(crate) fn retry_after(
        code: Code,
        detail: impl Into<Cow<'static, str>>,
        seconds: u32,
    ) -> Self {
        Self::new(code, detail).with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Sets the header that the code asks for (the router adds `Allow`).
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// Sets the cause, which is logged and not sent.
    pub(crate) fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Sets the line of the call in the audit log.
    pub(crate) fn with_audit(mut self, entry: Arc<Entry>) -> Self {
        self.0.audit = Some(entry);
        self
    }

    /// Sets the keys that the request waits for.
    pub(crate) fn with_fetching(mut self, fetching: Option<Fetching>) -> Self {
        self.0.fetching = fetching;
        self
    }

    /// Takes the keys that the request waits for.
    pub(crate) fn take_fetching(&mut self) -> Option<Fetching> {
        self.0.fetching.take()
    }

    /// The kind of the problem.
    pub(crate) fn code(&self) -> Code {
        self.0.problem.code
    }

    /// What is wrong this time, in a sentence.
    pub(crate) fn detail(&self) -> &str {
        &self.0.problem.detail
    }

    /// The cause, for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The response that `write` makes of the error, with the header; the error is its extension.
    pub(crate) fn respond_with(self, write: impl FnOnce(&Self) -> Response) -> Response {
        let mut response = write(&self);
        if let Some((name, value)) = &self.0.header {
            response.headers_mut().insert(name, value.clone());
        }
        if let Some(entry) = &self.0.audit {
            response.extensions_mut().insert(Arc::clone(entry));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        // Every call is safe to repeat, even if its outcome is unknown.
        if let Some(cause) = store_trouble(&error) {
            let (code, seconds) = match error {
                EngineError::StoreFull(_) => (Code::StoreFull, FULL_RETRY_AFTER_S),
                _ => (Code::StoreUnavailable, STORE_RETRY_AFTER_S),
            };
            let detail = format!("{cause}; send the same request again");
            return Self::retry_after(code, detail, seconds).with_cause(error);
        }
        match error {
            EngineError::BadCursor => Self::field("cursor", "was not made by this service"),
            EngineError::NeedsFormat(format) => Self::field("region", needs_format(format)),
            EngineError::TooLarge(_) => Self::new(Code::Internal, TOO_LARGE).with_cause(error),
            // Details of a damaged record are for the operator only.
            other => {
                Self::new(Code::Internal, "the request could not be answered").with_cause(other)
            }
        }
    }
}

/// The detail for an error of the store that may pass; `None` for other errors.
pub(crate) const fn store_trouble(error: &EngineError) -> Option<&'static str> {
    match error {
        EngineError::Refused(refusal) => Some(refusal.told),
        EngineError::StoreFull(_) => Some("the store refuses writes: it is full"),
        EngineError::NewerRecord(_) => {
            Some("the store holds data of a newer version of this server")
        }
        EngineError::Unavailable(_) => Some("the store cannot be used now"),
        EngineError::DeadlineExceeded(_) => Some("the store did not answer in time"),
        EngineError::OutcomeUnknown(_) => Some("the answer of the store was lost"),
        EngineError::TooLarge(_)
        | EngineError::Damaged(_)
        | EngineError::NeedsFormat(_)
        | EngineError::BadCursor => None,
    }
}

/// The detail for a record that the store cannot hold.
const TOO_LARGE: &str = "the user has more sessions and attributes than the store can hold for one \
                         user; end some of them, or send fewer attributes";

/// What is wrong with a field that the store does not hold yet.
fn needs_format(format: u8) -> String {
    format!(
        "is not accepted yet: when all nodes run this release, set store.format = {format} on all"
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.respond_with(|error| answer::problem(error.code().status(), &error.0.problem))
    }
}

#[cfg(test)]
mod tests {
    use streamgate_store::Refusal;

    use super::*;

    #[test]
    fn errors_of_the_store_are_told_as_they_are_and_name_no_server() {
        use EngineError::{
            Damaged, DeadlineExceeded, OutcomeUnknown, Refused, TooLarge, Unavailable,
        };

        let told = "the store refuses writes: its memory is full";
        let why = || "redis-7.internal:6379: OOM command not allowed".to_owned();
        for (error, status, detail) in [
            (Refused(Refusal { told, why: why() }), 503, told),
            (Unavailable(why()), 503, "the store cannot be used now"),
            (
                OutcomeUnknown(why()),
                503,
                "the answer of the store was lost",
            ),
            (DeadlineExceeded(5), 503, "the store did not answer in time"),
            (Damaged(why()), 500, "the request could not be answered"),
            (TooLarge(why()), 500, TOO_LARGE),
        ] {
            let Failure { problem, cause, .. } = *ApiError::from(error).0;
            assert_eq!(problem.status, status);
            assert!(problem.detail.starts_with(detail), "{}", problem.detail);
            assert!(!problem.detail.contains("internal:"), "{}", problem.detail);
            assert!(cause.is_some(), "the log has the cause");
        }
    }
}
