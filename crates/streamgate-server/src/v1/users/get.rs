//! `GET /v1/users/{user_id}`: plan, limit, profile and active count of a user.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use streamgate_core::admission::user_of;

use super::User;
use crate::caller::access::{Service, UserPath};
use crate::problem::{ApiError, Code, Problem};
use crate::state::App;
use crate::wire;
use crate::wire::schema::UserParam;

/// What limits a user, and how much of it is taken
///
/// A user is known once it has a plan, a limit, a profile or a session, or had a session lately.
/// Scope: `service`.
#[utoipa::path(
    get,
    path = "/v1/users/{user_id}",
    extensions(("x-streamgate-scope" = json!("service"))),
    tag = "users",
    params(UserParam),
    responses(
        (status = 200, description = "The user.", body = User<'_>),
        (status = 404, description = "`not_found`: the user was never seen.",
            body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_user(
    State(app): State<Arc<App>>,
    target: UserPath<Service>,
) -> Result<Response, ApiError> {
    let view = app.engine.user(&target.user, user_of).await?;
    let view = view.ok_or_else(|| ApiError::new(Code::NotFound, "the user was never seen"))?;
    let user = User::new(target.user.user(), &view);
    Ok(wire::json(StatusCode::OK, &user))
}
