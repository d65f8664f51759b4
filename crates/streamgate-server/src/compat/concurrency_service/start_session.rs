//! `GET /{stage}/startSession/userId/{userId}/sessionId/{sessionId}`: starts a session.

use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{DialectCaller, answer, segment, session_id};
use super::{ConcurrencyService, Message, text};
use crate::caller::access::Player;
use crate::problem::{ApiError, Code};
use crate::wire::schema::{SessionIdSchema, UserIdSchema};

/// Path segments of the ids, counted from 0.
const USER_PLACE: usize = 3;
const SESSION_PLACE: usize = 5;

/// Names of the ids in errors.
const USER: &str = "userId";
const SESSION: &str = "sessionId";

/// A session that holds a slot.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counted {
    /// The user.
    #[schema(example = "abc")]
    user: String,
    /// How many sessions of the user hold a slot, this one among them.
    #[serde(rename = "concurrentSessions")]
    #[schema(minimum = 1, example = 1)]
    concurrent_sessions: u32,
}

/// Start a session
///
/// A session that is live already is not counted again; its lease begins anew.
#[utoipa::path(
    get,
    path = "/{stage}/startSession/userId/{userId}/sessionId/{sessionId}",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    params(
        ("stage" = String, Path, description = "Any text.", example = "dev"),
        ("userId" = inline(UserIdSchema), Path,
            description = "The user, percent-encoded. `%2F` is a slash within the id, `+` is a \
                plus."),
        ("sessionId" = inline(SessionIdSchema), Path,
            description = "The session, percent-encoded."),
    ),
    responses(
        (status = 200, description = "It holds a slot.", body = Counted),
        (status = 400, description = "Every slot is taken; or an id is empty or not valid. The \
            body is a bare text under the media type of JSON, as it always was: `User abc is \
            trying to watch 4 streams at once, which is too many.` So no schema is stated, and a \
            client should read the body as text.",
            content(("application/json"))),
        (status = 403, description = "No key, or not one that may do this; or a viewer token that \
            names another user, or a plan or limit that cannot be used.", body = Message,
            headers(("x-amzn-errortype" = String, description = "`ForbiddenException`"))),
        (status = 429, description = "Too many requests.", body = Message,
            headers(("x-amzn-errortype" = String, description = "`TooManyRequestsException`"))),
        (status = 502, description = "The store cannot be used now, or the viewer token cannot be \
            verified now.", body = Message,
            example = json!({"message": "Internal server error"})),
    )
)]
pub(super) async fn start_session(
    caller: DialectCaller<ConcurrencyService, Player>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let name = segment(&uri, USER_PLACE, USER)?;
    let id = segment(&uri, SESSION_PLACE, SESSION)?;
    if name.is_empty() || id.is_empty() {
        return Err(id_missing());
    }
    let user = caller.user(USER, &name)?;
    let started = caller.start(&user, session_id(SESSION, &id)?).await?;
    Ok(match started {
        Ok(admitted) => answer::json(
            StatusCode::OK,
            &Counted {
                user: name.into_owned(),
                concurrent_sessions: admitted.active,
            },
        ),
        Err(refused) => {
            let wanted = refused.limit + 1;
            text(
                StatusCode::BAD_REQUEST,
                format!(
                    "User {name} is trying to watch {wanted} streams at once, which is too many."
                ),
            )
        }
    })
}

/// The error of a request without one of the ids.
fn id_missing() -> ApiError {
    ApiError::new(
        Code::InvalidRequest,
        "Please specify a userId and sessionId",
    )
}
