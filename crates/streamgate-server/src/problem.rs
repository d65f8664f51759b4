//! Errors of the API: RFC 9457 problems, one code for each kind.
//!
//! What is *not* here: the problems with members of their own (`limit_reached`, `session_ended`);
//! they stand with their endpoints, in [`crate::v1`].

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use streamgate_engine::EngineError;
use streamgate_tokens::Fetching;
use utoipa::ToSchema;

use crate::telemetry::audit::Entry;
use crate::wire::answer;

/// `Retry-After` while the store cannot be used, in seconds.
const STORE_RETRY_AFTER_S: u32 = 1;

/// `Retry-After` while the store is full, in seconds: an operator or a snapshot makes room.
const FULL_RETRY_AFTER_S: u32 = 10;

/// Most bytes of a request that an error repeats.
const ECHO_MAX_BYTES: usize = 160;

macro_rules! codes {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $about:literal;)*) => {
        /// The kind of a problem, for programs to tell apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Code {
            $(#[doc = $about] $name,)*
        }

        impl Code {
            /// Every code, by status.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The HTTP status that goes with it.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The code as text.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means, in a few words that are the same for every occurrence.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What it means and what to do, in sentences.
            pub(crate) const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }

            /// Where the kind is described: a page that every server serves itself, so that it
            /// resolves offline too.
            pub(crate) const fn uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/docs/problems#", $code),)* }
            }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", BAD_REQUEST, "The request is not valid",
        "Something in the path, the query or the body is wrong; `errors` names each field. \
         Nothing was changed.";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "An API key or a viewer token is needed",
        "The request has no API key and no viewer token, or one that is not accepted; `detail` says \
         whether a token has expired. Send a key as `x-api-key` or `Authorization: Bearer`, a token \
         as `Authorization: Bearer`.";
    Forbidden = "forbidden", FORBIDDEN, "The caller may not do this",
        "The key is known, but its scope does not include this operation, and `detail` names the \
         scope needed. With a viewer token: the request names another user, or more than one. \
         Without either: the request names a foreign `Host`, or would change \
         something for a web page of another origin; `detail` says what the operator can do.";
    EntitlementUnusable = "entitlement_unusable", FORBIDDEN,
        "What the token says about its user cannot be used",
        "The viewer token brings a plan that the server's configuration does not know, or a limit \
         that is none; `detail` says which. Nothing was changed. The issuer of the token, or the \
         operator who named its claims, must correct it.";
    NotFound = "not_found", NOT_FOUND, "There is nothing here",
        "No such path, or a user that was never seen.";
    SessionUnknown = "session_unknown", NOT_FOUND, "The user never had this session",
        "The user never had a session of this id, or it ended so long ago that it is forgotten. \
         Start it again.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The path has no such method",
        "The header `Allow` lists the methods of this path.";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body came too slowly",
        "The body did not arrive in time. Nothing was changed; the connection is closed.";
    LimitReached = "limit_reached", CONFLICT, "The limit of concurrent sessions is reached",
        "Every slot is taken. `sessions` lists the sessions that hold them (100 at most; \
         `sessions_total` counts all), `next_slot_at` is when a start is admitted at the latest. \
         Ask the viewer which session to end, then start again with `terminate`.";
    SessionTaken = "session_taken", CONFLICT, "The session is another device's",
        "A session of this id is live, and it was started with another `device_id`. Make a new \
         session id for each playback. Nothing was changed.";
    BackupRunning = "backup_running", CONFLICT, "Another backup is under way",
        "The server makes one backup at a time. Send the request again when the other has ended: \
         its end is in the log.";
    BackupElsewhere = "backup_elsewhere", CONFLICT, "This store is backed up elsewhere",
        "The server keeps its data in Redis or DynamoDB, or in memory only; `detail` names what to \
         use there.";
    SessionEnded = "session_ended", GONE, "The session has ended",
        "The session no longer holds a slot; `reason` says why. Stop playing, or start a new \
         session.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "A body may have 16 KiB, a batch 256 KiB.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "The body must be JSON",
        "Send the body as `application/json`, and not compressed.";
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests",
        "The caller, or the calls about this user, exceed their rate limit. Wait as many seconds \
         as `Retry-After` says.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something is wrong inside",
        "For example, a stored record cannot be read. A retry does not help; the operator finds \
         the cause in the log, by the `x-request-id` of the response.";
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The store cannot be used now",
        "The store gives no reliable answer; `detail` says why: it is not reached, did not answer \
         in time, or refuses (full, read-only, loading, set up so that it may drop sessions). \
         Send the same request again after `Retry-After`: every call is safe to repeat.";
    StoreFull = "store_full", SERVICE_UNAVAILABLE, "The store has no room for more",
        "The store has no room, so no session is started and no user is changed. Heartbeats, stops \
         and lists work as usual. Send the same request again after `Retry-After`: once there is \
         room, it succeeds without a restart.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too much is under way at once",
        "Request bodies take all the memory that `http.bodies_max_bytes` allows. Nothing was \
         changed. Send the same request again after `Retry-After`.";
    IssuerUnavailable = "issuer_unavailable", SERVICE_UNAVAILABLE,
        "The token cannot be verified now",
        "The keys of the issuer of the viewer token cannot be fetched, and those that were fetched \
         last are too old. Send the same request again after `Retry-After`.";
    NotConfigured = "not_configured", SERVICE_UNAVAILABLE, "The server is not set up for this",
        "`detail` names the setting that is missing. A retry does not help; the operator sets it.";
    Stopping = "stopping", SERVICE_UNAVAILABLE, "The server is stopping",
        "`/readyz` says so, to load balancers, while requests are still answered for as long as \
         `http.drain_s` says; and an event stream that does not begin any more: connect again \
         after `Retry-After`.";
    NoStreams = "no_streams", NOT_IMPLEMENTED, "There are no event streams here",
        "The server runs where an answer is sent whole (AWS Lambda). Players learn of an ending at \
         their next heartbeat.";
}

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

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The field: a member of the body (`terminate[3]`), a parameter of the path or the query, or
    /// `body` for the body as a whole.
    #[schema(example = "device_id")]
    pub(crate) field: String,
    /// What is wrong with it.
    #[schema(example = "must not be empty")]
    pub(crate) message: String,
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
        EngineError::Damaged(_) | EngineError::NeedsFormat(_) | EngineError::BadCursor => None,
    }
}

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

/// All invalid fields of a request, reported together.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Adds an error.
    pub(crate) fn add(&mut self, field: impl Into<String>, message: impl fmt::Display) {
        self.0.push(FieldError {
            field: shortened(field.into()),
            message: shortened(message.to_string()),
        });
    }

    /// The value; otherwise `None`, and the error is added.
    pub(crate) fn check<T, E: fmt::Display>(
        &mut self,
        field: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(field, error)).ok()
    }

    /// A sentence with the first error and the number of others.
    pub(crate) fn sentence(&self) -> String {
        let Some(FieldError { field, message }) = self.0.first() else {
            return String::new();
        };
        match self.0.len() {
            1 => format!("{field} {message}"),
            len => format!("{field} {message}; and {} more", len - 1),
        }
    }

    /// Fails if an error was added.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(self.into())
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        let mut error = Self::new(Code::InvalidRequest, errors.sentence());
        error.0.problem.errors = errors.0;
        error
    }
}

/// The text, truncated to a length that an error may repeat.
pub(crate) fn shortened(mut text: String) -> String {
    if text.len() > ECHO_MAX_BYTES {
        text.truncate(text.floor_char_boundary(ECHO_MAX_BYTES));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use streamgate_store::Refusal;

    use super::*;

    #[test]
    fn every_code_is_written_as_it_is_named() {
        for code in Code::ALL {
            assert_eq!(
                serde_json::to_value(code).unwrap(),
                serde_json::Value::from(code.as_str())
            );
        }
    }

    #[test]
    fn errors_of_the_store_are_told_as_they_are_and_name_no_server() {
        use EngineError::{Damaged, DeadlineExceeded, OutcomeUnknown, Refused, Unavailable};

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
        ] {
            let Failure { problem, cause, .. } = *ApiError::from(error).0;
            assert_eq!(problem.status, status);
            assert!(problem.detail.starts_with(detail), "{}", problem.detail);
            assert!(!problem.detail.contains("internal:"), "{}", problem.detail);
            assert!(cause.is_some(), "the log has the cause");
        }
    }

    #[test]
    fn what_callers_said_is_repeated_in_part_only() {
        let long = "ü".repeat(10_000);
        let error = ApiError::field(long.clone(), long);
        let Failure { problem, .. } = *error.0;
        assert!(problem.detail.len() < 400, "{}", problem.detail);
        assert!(problem.errors[0].field.ends_with("ü…"));
    }
}
