//! `DELETE /v1/users/{user_id}`: ends all sessions of a user and erases it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::caller::access::{Service, UserPath};
use crate::problem::ApiError;
use crate::state::App;
use crate::telemetry::audit::Action;
use crate::wire;
use crate::wire::schema::UserParam;

/// End all sessions of a user and erase it
///
/// The sessions end as `revoked`; plan, limit, profile and history are erased. For a while only the
/// names and times of those sessions are kept, so that their players learn what happened.
/// Idempotent: 204 also for a user never seen. Scope: `service`.
#[utoipa::path(
    delete,
    path = "/v1/users/{user_id}",
    extensions(("x-streamgate-scope" = json!("service"))),
    tag = "users",
    params(UserParam),
    responses(
        (status = 204, description = "The user is erased, and none of its sessions holds a slot."),
    )
)]
pub(crate) async fn erase_user(
    State(app): State<Arc<App>>,
    target: UserPath<Service>,
) -> Result<Response, ApiError> {
    let note = app
        .audit
        .note_about(Action::EraseUser, &target.identity, &target.user);
    let erased = app.engine.erase_user(&target.user).await;
    note.close(erased.map(|_| wire::no_content()).map_err(ApiError::from))
}
