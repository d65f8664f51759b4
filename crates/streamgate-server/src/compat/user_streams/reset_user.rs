//! `DELETE /user-streams/{userId}`: ends every session of a user.

use axum::http::{StatusCode, Uri};
use axum::response::Response;
use streamgate_core::admission::ResetUser;

use super::super::{DialectCaller, segment};
use super::{Failed, USER, USER_PLACE, UserStreams, failed};
use crate::caller::access::Player;
use crate::problem::ApiError;
use crate::telemetry::audit::Action;
use crate::wire;
use crate::wire::schema::UserIdSchema;

/// End every session of a user
///
/// Its history is forgotten too. Plan, limit and profile stay: otherwise any caller could lift a
/// limit.
#[utoipa::path(
    delete,
    path = "/user-streams/{userId}",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    params(("userId" = UserIdSchema, Path, description = "The user, percent-encoded.")),
    responses(
        (status = 204, description = "No session of it is live."),
        (status = 400, description = "The id is not valid.", body = Failed<'_>),
        (status = 404, description = "The user is not known.", body = Failed<'_>,
            example = json!({"error": {
                "statusCode": 404,
                "name": "Error",
                "message": "Entity not found: UserStreams with id \"u\"",
                "code": "ENTITY_NOT_FOUND",
            }})),
    )
)]
pub(super) async fn reset_user(
    caller: DialectCaller<UserStreams, Player>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let name = segment(&uri, USER_PLACE, USER)?;
    let user = caller.user(USER, &name)?;
    let reset = ResetUser::default();
    let note = caller.note(Action::ResetUser, &user);
    match caller.engine().reset_user(&user, &reset).await {
        Ok(was) if was.was_known => return note.close(Ok(wire::no_content())),
        Ok(_) => note.discard(),
        Err(error) => return note.close(Err(error.into())),
    }
    // The id as a JSON string, quotes included.
    let id = serde_json::Value::from(&*name);
    Ok(failed(
        StatusCode::NOT_FOUND,
        "Error",
        &format!("Entity not found: UserStreams with id {id}"),
        Some("ENTITY_NOT_FOUND"),
    ))
}
