//! `POST /add-session`: starts a session.

use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::super::DialectCaller;
use super::user_id::user_of;
use super::{Message, SessionTracker, message};
use crate::caller::access::Player;
use crate::problem::ApiError;
use crate::wire::schema::UserIdSchema;

/// Start a session
///
/// The service names it; it is in `GET /v1/users/{user_id}/sessions`.
#[utoipa::path(
    post,
    path = "/add-session",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    params(("user_id" = inline(UserIdSchema), Query, description = "The user. `001`, `1.0` and \
        `1` are one user.")),
    responses(
        (status = 200, description = "It holds a slot.", body = Message),
        (status = 400, description = "`user_id` is missing, empty, given twice or not valid.",
            body = Message),
        (status = 409, description = "Every slot is taken.", body = Message,
            example = json!({"message": "Max sessions of 3 reached."})),
    )
)]
pub(super) async fn add_session(
    caller: DialectCaller<SessionTracker, Player>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let user = user_of(&caller, &uri)?;
    let id = caller.engine().new_session_id();
    Ok(match caller.start(&user, id).await? {
        Ok(admitted) => message(
            StatusCode::OK,
            format!(
                "Number of active session incremented to {}",
                admitted.active
            ),
        ),
        Err(refused) => message(
            StatusCode::CONFLICT,
            format!("Max sessions of {} reached.", refused.limit),
        ),
    })
}
