//! `POST /requeststream`: starts a stream of a known user.

use std::sync::Arc;

use axum::response::Response;
use streamgate_core::SessionMetadata;
use streamgate_core::admission::{IfKnown, StartOutcome};
use streamgate_core::ids::Name;
use utoipa::ToSchema;

use super::super::{AnyJson, DialectCaller, session_id, session_taken};
use super::name::{self, StreamName, UserName, stream_session};
use super::{ID, STREAM, StreamRequests, as_bad_request, bad_request, sentence};
use crate::caller::access::Player;
use crate::caller::grant::unknown_plan;
use crate::problem::ApiError;

/// The user and the stream to watch.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct StreamRequest {
    /// The user.
    #[schema(value_type = UserName)]
    id: String,
    /// The stream: a session by its name, which is compared without case.
    #[schema(value_type = StreamName)]
    stream: String,
}

/// Start a stream
///
/// The status is 200 in any case; the sentence says what happened. A stream that is live already
/// takes no second slot; its lease begins anew. `Film` and `film` are one stream: the session is
/// called `film`.
#[utoipa::path(
    post,
    path = "/requeststream",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    request_body = StreamRequest,
    responses(
        (status = 200, description = "It holds a slot, held one already, or every slot is taken: \
            `User - 010 has exceeded maximum concurrent streams allowed.`",
            body = String, content_type = "text/html", example = "Request for stream_1 succesful"),
        (status = 400, description = "The user is not known; or no JSON object; or a member of it \
            is missing or not valid.",
            body = String, content_type = "text/plain", example = "Bad Request"),
    )
)]
pub(super) async fn request_stream(
    caller: DialectCaller<StreamRequests, Player>,
    body: AnyJson,
) -> Result<Response, ApiError> {
    let id = name::required(&body, ID).map_err(as_bad_request)?;
    let stream = name::required(&body, STREAM).map_err(as_bad_request)?;
    let user = caller.user(ID, &id).map_err(as_bad_request)?;
    let session = session_id(STREAM, &stream_session(&stream)).map_err(as_bad_request)?;
    let mut start = caller.start_of(session)?;
    start.metadata = metadata_of(&stream).map_err(as_bad_request)?;
    let outcome = caller
        .engine()
        .start(&user, &IfKnown(start))
        .await?
        .outcome
        .ok_or_else(bad_request)?;
    Ok(sentence(match outcome {
        // Misspelt in the original, too.
        StartOutcome::Admitted(_) => format!("Request for {stream} succesful"),
        StartOutcome::AlreadyLive(_) => format!("User {id} is already watching {stream}"),
        StartOutcome::Taken => return Err(session_taken()),
        StartOutcome::UnknownPlan(_) => return Err(unknown_plan()),
        StartOutcome::Refused(_) => {
            format!("User - {id} has exceeded maximum concurrent streams allowed.")
        }
    }))
}

/// Metadata with the spelling of a stream that differs from its session id.
fn metadata_of(stream: &str) -> Result<Option<Arc<SessionMetadata>>, ApiError> {
    if stream_session(stream) == stream {
        return Ok(None);
    }
    let name = Name::new(stream).map_err(|error| ApiError::field(STREAM, error))?;
    let metadata = SessionMetadata {
        content_id: Some(name),
        ..SessionMetadata::default()
    };
    Ok(Some(Arc::new(metadata)))
}
