//! `POST /{stage}/stream`: starts a stream.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{AnyJson, DialectCaller, answer};
use super::user_name::{self, UserName};
use super::{FailedAnswer, StreamLog, failed};
use crate::caller::access::Player;
use crate::problem::ApiError;
use crate::wire::schema::SessionIdSchema;

/// The user that starts a stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct Viewer {
    /// The user.
    #[schema(rename = "userId")]
    user_id: UserName,
}

/// The response to an admitted start.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StartedAnswer {
    /// The status of the answer.
    #[serde(rename = "statusCode")]
    #[schema(example = 201)]
    status_code: u16,
    /// The stream.
    message: Started,
}

/// A stream that holds a slot.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Started {
    /// Its name, made here: a UUID of version 4. It is sent back as it is to end the stream.
    #[serde(rename = "streamId")]
    #[schema(value_type = SessionIdSchema, example = "f186213a-09dc-4aff-a8bf-484915598a15")]
    stream_id: String,
    /// The user, as it was sent.
    #[serde(rename = "userId")]
    user_id: UserName,
}

/// Start a stream
///
/// The service names it; a `streamId` that is sent is ignored.
#[utoipa::path(
    post,
    path = "/{stage}/stream",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    params(("stage" = String, Path, description = "Any text.", example = "dev")),
    request_body = Viewer,
    responses(
        (status = 201, description = "It holds a slot.", body = StartedAnswer),
        (status = 400, description = "No JSON object, or `userId` is missing, empty or not valid.",
            body = FailedAnswer),
        (status = 403, description = "Every slot is taken.", body = FailedAnswer,
            example = json!({
                "statusCode": 403,
                "message": {"error": "Unable to start a new stream, maximum limit reached"},
            })),
    )
)]
pub(super) async fn start_stream(
    caller: DialectCaller<StreamLog, Player>,
    body: AnyJson,
) -> Result<Response, ApiError> {
    let name = UserName::of(&body)?;
    let user = caller.user(user_name::FIELD, &name.id())?;
    let id = caller.engine().new_session_id_v4();
    Ok(match caller.start(&user, id).await? {
        Ok(admitted) => {
            let status = StatusCode::CREATED;
            let started = StartedAnswer {
                status_code: status.as_u16(),
                message: Started {
                    stream_id: admitted.session.id.to_string(),
                    user_id: name,
                },
            };
            answer::json(status, &started)
        }
        Err(_) => failed(
            StatusCode::FORBIDDEN,
            "Unable to start a new stream, maximum limit reached",
        ),
    })
}
