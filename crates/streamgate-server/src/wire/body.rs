//! Request bodies: bounded in size and time, parsed as JSON with errors that name the field.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde::Deserialize;
use streamgate_core::bounds::{BODY_MAX_BYTES, IGNORED_BODY_MAX_BYTES};
use tokio::time::timeout;

use super::body_bytes::{BodyBuffer, ReceivedBody};
use super::body_pieces::{is_long, next_piece, read_on};
use super::object::Object;
use crate::connection::stall::EVENT_DELAY;
use crate::problem::{ApiError, Code};
use crate::state::App;

/// The bytes of a JSON body of at most `MAX` bytes. A missing body is an empty object.
#[derive(Debug)]
pub(crate) struct JsonBody<const MAX: usize = BODY_MAX_BYTES>(ReceivedBody);

impl<const MAX: usize> JsonBody<MAX> {
    /// Reads the body of a request with these headers. They are looked at at once, so that the head
    /// is not held while the body is on its way.
    pub(crate) fn read<'a>(
        headers: &HeaderMap,
        body: Body,
        app: &'a App,
    ) -> impl Future<Output = Result<Self, ApiError>> + use<'a, MAX> {
        let fault = if body.is_end_stream() {
            None
        } else {
            TypeFault::of(headers)
        };
        async move {
            let bytes = read(app, body, MAX).await?;
            match fault {
                Some(fault) if !bytes.is_empty() => Err(fault.error()),
                _ => Ok(Self(bytes)),
            }
        }
    }

    /// The body as a value.
    pub(crate) fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, ApiError> {
        parse(if self.0.is_empty() { b"{}" } else { &self.0 })
    }
}

impl<const MAX: usize> FromRequest<Arc<App>> for JsonBody<MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let read = Self::read(&parts.headers, body, app);
        drop(parts);
        read.await
    }
}

/// A body that is discarded unread: the path has everything that the call needs.
#[derive(Debug)]
pub(crate) struct IgnoredBody(Body);

impl From<Body> for IgnoredBody {
    fn from(body: Body) -> Self {
        Self(body)
    }
}

impl IgnoredBody {
    /// Reads and discards the body after the call is carried out. If it is too long or too slow,
    /// the connection is closed after the response.
    pub(crate) async fn discard(
        self,
        app: &App,
        answer: Result<Response, ApiError>,
    ) -> Result<Response, ApiError> {
        if self.0.is_end_stream() || Box::pin(is_drained(app, self.0)).await {
            return answer;
        }
        let mut answer = answer.unwrap_or_else(ApiError::into_response);
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
        Ok(answer)
    }
}

/// Reads a body and discards it; whether its end came within the bounds of size and time.
async fn is_drained(app: &App, mut body: Body) -> bool {
    let mut left = IGNORED_BODY_MAX_BYTES;
    let discard = |piece: &[u8], _| take_from(&mut left, piece, IGNORED_BODY_MAX_BYTES);
    let drained = read_on(None, &mut body, &app.body_turns, discard);
    timeout(app.body_timeout, drained)
        .await
        .is_ok_and(|read| read.is_ok())
}

/// The bytes of a body of at most `max` bytes.
///
/// # Errors
/// 413 for a longer body, 408 for one that is too slow, 400 for one that breaks off.
pub(crate) async fn read(app: &App, mut body: Body, max: usize) -> Result<ReceivedBody, ApiError> {
    if body.is_end_stream() {
        return Ok(Bytes::new().into());
    }
    // A body whose declared length is too large is not read at all.
    if body.size_hint().lower() > u64::try_from(max).unwrap_or(u64::MAX) {
        return Err(too_large(max));
    }
    // Fast path: the body usually arrived with the head, and needs no timer.
    let begun = begin(&mut body, max).now_or_never().transpose()?;
    if let Some(Begun::Whole(bytes)) = begun {
        return Ok(bytes.into());
    }
    let mut rest = pin!(read_whole(app, &mut body, begun, max));
    if let Ok(read) = timeout(app.body_timeout, &mut rest).await {
        return read;
    }
    // The process may have been suspended: a body that arrived meanwhile still counts.
    timeout(EVENT_DELAY, rest).await.unwrap_or_else(|_| {
        Err(
            ApiError::new(Code::RequestTimeout, "the body did not arrive in time")
                .with_header(header::CONNECTION, HeaderValue::from_static("close")),
        )
    })
}

/// The beginning of a body.
enum Begun {
    /// All of it: a single piece, which is not copied, or none.
    Whole(Bytes),
    /// The first piece.
    Part(Bytes),
    /// Nothing: a long body is read in turn from its first piece on.
    Long,
}

/// The beginning of a body. Cancel-safe: it waits for the first piece only.
async fn begin(body: &mut Body, max: usize) -> Result<Begun, ApiError> {
    if is_long(body) {
        return Ok(Begun::Long);
    }
    let Some(first) = next_piece(body).await? else {
        return Ok(Begun::Whole(Bytes::new()));
    };
    if first.len() > max {
        return Err(too_large(max));
    }
    Ok(if body.is_end_stream() {
        Begun::Whole(first)
    } else {
        Begun::Part(first)
    })
}

/// The bytes of a body that has not arrived whole.
async fn read_whole(
    app: &App,
    body: &mut Body,
    begun: Option<Begun>,
    max: usize,
) -> Result<ReceivedBody, ApiError> {
    let begun = match begun {
        Some(begun) => begun,
        None => begin(body, max).await?,
    };
    let first = match begun {
        Begun::Whole(bytes) => return Ok(bytes.into()),
        Begun::Part(first) => Some(first),
        Begun::Long => None,
    };
    let mut whole = BodyBuffer::new(&app.body_memory);
    let mut left = max;
    let keep = |piece: &[u8], remaining: usize| {
        take_from(&mut left, piece, max)?;
        whole.push(piece, remaining.min(left))
    };
    read_on(first, body, &app.body_turns, keep).await?;
    Ok(whole.finish())
}

/// Subtracts the length of a piece from what is left of `max` bytes.
fn take_from(left: &mut usize, piece: &[u8], max: usize) -> Result<(), ApiError> {
    *left = left
        .checked_sub(piece.len())
        .ok_or_else(|| too_large(max))?;
    Ok(())
}

/// The error of a body of more than `max` bytes.
fn too_large(max: usize) -> ApiError {
    ApiError::new(
        Code::BodyTooLarge,
        format!("the body must be at most {max} bytes long"),
    )
}

/// Why headers do not declare uncompressed JSON.
#[derive(Debug, Clone, Copy)]
enum TypeFault {
    NotJson,
    /// Bodies are too small to gain from compression, and 16 KiB can unpack to any size.
    Encoded,
}

impl TypeFault {
    fn of(headers: &HeaderMap) -> Option<Self> {
        if !is_json(headers) {
            return Some(Self::NotJson);
        }
        is_encoded(headers).then_some(Self::Encoded)
    }

    #[cold]
    fn error(self) -> ApiError {
        match self {
            Self::NotJson => ApiError::new(
                Code::UnsupportedMediaType,
                "the body must be sent as application/json",
            ),
            Self::Encoded => ApiError::new(
                Code::UnsupportedMediaType,
                "the body must be sent as it is, without a content encoding",
            )
            .with_header(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            ),
        }
    }
}

/// Refuses a compressed body.
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    if is_encoded(headers) {
        return Err(TypeFault::Encoded.error());
    }
    Ok(())
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let is_encoded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(is_encoded)
}

/// Whether the content type is `application/json` or `application/*+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    let Some((kind, subtype)) = media_type.split_once('/') else {
        return false;
    };
    let suffix = subtype
        .rsplit_once('+')
        .map_or(subtype, |(_, suffix)| suffix);
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

/// A value from the bytes of a JSON object.
fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, ApiError> {
    // Validating UTF-8 once is cheaper than serde_json doing so for each string.
    let read = match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str::<Object<T>>(text),
        Err(_) => serde_json::from_slice::<Object<T>>(bytes),
    };
    match read {
        Ok(Object(value)) => Ok(value),
        // Only an invalid body is parsed a second time, to find the field.
        Err(error) => Err(explain::<T>(bytes, &error)),
    }
}

/// The error of a body, with the field that is wrong.
fn explain<'de, T: Deserialize<'de>>(bytes: &'de [u8], error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    // Serde reports a number out of its range as a syntax error.
    if !error.is_data() && !text.starts_with("number out of range") {
        return ApiError::field("body", format!("is not valid JSON: {error}"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let path = serde_path_to_error::deserialize::<_, Object<T>>(&mut deserializer)
        .map_or_else(|error| error.path().to_string(), |_| ".".to_owned());
    let message = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(message, _)| message);
    let (member, message) = in_plain_words(message);
    let field = match (&*path, member) {
        (".", None) => "body".to_owned(),
        (".", Some(member)) => member.to_owned(),
        // The path ends in the member itself, except where the member is missing.
        (_, Some(member)) if message == MISSING => format!("{path}.{member}"),
        _ => path,
    };
    ApiError::field(field, message)
}

/// The message about a missing member.
const MISSING: &str = "is required";

/// The member that a message of serde quotes, and the message in the wording of this API.
fn in_plain_words(message: &str) -> (Option<&str>, &str) {
    for (theirs, ours) in [
        ("unknown field `", "unknown field"),
        ("missing field `", MISSING),
        ("duplicate field `", "is given twice"),
    ] {
        if let Some(rest) = message.strip_prefix(theirs) {
            return (rest.split('`').next(), ours);
        }
    }
    (None, message)
}
