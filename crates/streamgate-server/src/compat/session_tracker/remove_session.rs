//! `POST /remove-session`: ends the session that started last.

use axum::http::{StatusCode, Uri};
use axum::response::Response;
use streamgate_engine::NewestStopped;

use super::super::DialectCaller;
use super::user_id::user_of;
use super::{Message, SessionTracker, message};
use crate::caller::access::Player;
use crate::problem::ApiError;
use crate::wire::schema::UserIdSchema;

/// End the newest session
///
/// Of those that the user has in any dialect and in `/v1`.
#[utoipa::path(
    post,
    path = "/remove-session",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    params(("user_id" = inline(UserIdSchema), Query, description = "The user. `001`, `1.0` and \
        `1` are one user.")),
    responses(
        (status = 200, description = "It gave its slot back; or the user was never seen.",
            body = Message,
            example = json!({"message": "Number of active session decremented to 2"})),
        (status = 400, description = "`user_id` is missing, empty, given twice or not valid.",
            body = Message),
        (status = 409, description = "The user is known, and no session is active.",
            body = Message),
    )
)]
pub(super) async fn remove_session(
    caller: DialectCaller<SessionTracker, Player>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let user = user_of(&caller, &uri)?;
    let note = caller.note_of_stop(&user);
    let outcome = match caller.engine().stop_newest(&user).await {
        Ok(outcome) => outcome,
        Err(error) => return note.close(Err(error.into())),
    };
    let answer = match outcome {
        NewestStopped::Stopped { active } => {
            let words = format!("Number of active session decremented to {active}");
            return note.close(Ok(message(StatusCode::OK, words)));
        }
        NewestStopped::NoneLive { is_known: true } => message(
            StatusCode::CONFLICT,
            "Already 0 active sessions, so can't remove any!",
        ),
        NewestStopped::NoneLive { is_known: false } => message(
            StatusCode::OK,
            "Cannot decrement number of sessions for user which never existed!",
        ),
    };
    note.discard();
    Ok(answer)
}
