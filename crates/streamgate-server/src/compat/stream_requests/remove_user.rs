//! `POST /removeuser`: removes a user.

use axum::response::Response;
use streamgate_core::admission::{Edit, ResetUser};
use utoipa::ToSchema;

use super::super::{AnyJson, DialectCaller};
use super::name::{self, UserName};
use super::{ID, StreamRequests, sentence};
use crate::caller::access::Service;
use crate::problem::{ApiError, Code};
use crate::telemetry::audit::Action;

/// The user to remove.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct OldUser {
    /// The user.
    #[schema(value_type = UserName)]
    id: String,
}

/// Remove a user
///
/// Its sessions end; profile and history are erased. Plan and limit stay: otherwise any caller
/// could lift a limit. A user that has one is still known, and can be removed again.
#[utoipa::path(
    post,
    path = "/removeuser",
    extensions(("x-streamgate-scope" = json!("service"))),
    request_body = OldUser,
    responses(
        (status = 200, description = "Its sessions have ended, and its profile is gone.",
            body = String,
            content_type = "text/html", example = "user 010 successfully deleted"),
        (status = 400, description = "No JSON object, or `id` is missing or not valid.",
            body = String,
            content_type = "text/plain"),
        (status = 403, description = "The key's scope does not include this.",
            body = String, content_type = "text/plain"),
        (status = 404, description = "The user is not known.",
            body = String, content_type = "text/plain"),
    )
)]
pub(super) async fn remove_user(
    caller: DialectCaller<StreamRequests, Service>,
    body: AnyJson,
) -> Result<Response, ApiError> {
    let id = name::required(&body, ID)?;
    let user = caller.user(ID, &id)?;
    let reset = ResetUser {
        profile: Edit::Clear,
    };
    let note = caller.note(Action::ResetUser, &user);
    let reset = caller.engine().reset_user(&user, &reset).await;
    note.close(match reset {
        Ok(was) if was.was_known => Ok(sentence(format!("user {id} successfully deleted"))),
        Ok(_) => Err(ApiError::new(
            Code::NotFound,
            format!("user {id} does not exist"),
        )),
        Err(error) => Err(error.into()),
    })
}
