//! `DELETE /{stage}/stream`: ends a stream.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use streamgate_core::admission::{Stop, StopOutcome};
use streamgate_core::{EndReason, SessionId, UserKey};
use utoipa::ToSchema;

use super::super::{AnyJson, DialectCaller, answer, session_id};
use super::user_name::{self, UserName};
use super::{FailedAnswer, StreamLog, failed, missing};
use crate::caller::access::Player;
use crate::problem::{ApiError, Code};
use crate::wire::schema::SessionIdSchema;

/// The member of the body that names the stream.
const STREAM: &str = "streamId";

/// The stream to end.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct Watched {
    /// Its user.
    #[schema(rename = "userId")]
    user_id: UserName,
    /// The stream.
    #[schema(rename = "streamId", value_type = SessionIdSchema)]
    stream_id: String,
}

/// End a stream
///
/// Only one that is live, and the user's own.
#[utoipa::path(
    delete,
    path = "/{stage}/stream",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    params(("stage" = String, Path, description = "Any text.", example = "dev")),
    request_body = Watched,
    responses(
        (status = 204, description = "It gave its slot back."),
        (status = 400, description = "No JSON object.", body = FailedAnswer),
        (status = 404, description = "The user has no such stream, or it has ended; or a member \
            of the body is missing, empty or not valid.",
            body = FailedAnswer,
            example = json!({
                "statusCode": 404,
                "message": {"error": "The conditional request failed"},
            })),
    )
)]
pub(super) async fn end_stream(
    caller: DialectCaller<StreamLog, Player>,
    body: AnyJson,
) -> Result<Response, ApiError> {
    let (user, id) = stream_of(&caller, &body).map_err(not_found)?;
    let stop = Stop {
        id,
        reason: EndReason::Stopped,
    };
    let note = caller.note_of_stop(&user);
    match caller.engine().stop(&user, &stop).await {
        Ok(StopOutcome::Stopped) => {
            let stopped = answer::response(StatusCode::NO_CONTENT, answer::JSON, Body::empty());
            note.close(Ok(stopped))
        }
        Ok(StopOutcome::AlreadyEnded(_) | StopOutcome::Unknown) => {
            note.discard();
            let words = "The conditional request failed";
            Ok(failed(StatusCode::NOT_FOUND, words))
        }
        Err(error) => note.close(Err(error.into())),
    }
}

/// The stream that the body names.
fn stream_of<N>(
    caller: &DialectCaller<StreamLog, N>,
    body: &AnyJson,
) -> Result<(UserKey, SessionId), ApiError> {
    let name = UserName::of(body)?;
    let id = match body.member(STREAM) {
        None => return Err(missing(STREAM)),
        Some(Value::String(text)) if text.is_empty() => return Err(missing(STREAM)),
        Some(Value::String(text)) => session_id(STREAM, text)?,
        Some(_) => return Err(ApiError::field(STREAM, "must be a text")),
    };
    Ok((caller.user(user_name::FIELD, &name.id())?, id))
}

/// An invalid reference to a stream is reported as an unknown stream, as in the original.
fn not_found(error: ApiError) -> ApiError {
    match error.code() {
        Code::InvalidRequest => ApiError::new(Code::SessionUnknown, error.detail().to_owned()),
        _ => error,
    }
}
