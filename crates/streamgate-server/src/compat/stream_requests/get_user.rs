//! `GET /getuser`: one user.

use axum::http::{StatusCode, Uri};
use axum::response::Response;
use streamgate_core::admission::user_and_sessions_of;

use super::super::{DialectCaller, answer, query};
use super::user::User;
use super::{ID, StreamRequests, as_bad_request, bad_request};
use crate::caller::access::Service;
use crate::problem::ApiError;
use crate::wire::schema::UserIdSchema;

/// A user, and what it watches
#[utoipa::path(
    get,
    path = "/getuser",
    extensions(("x-streamgate-scope" = json!("service"))),
    params(("id" = inline(UserIdSchema), Query, description = "The user.", example = "010")),
    responses(
        (status = 200, description = "The user.", body = User<'_>),
        (status = 400, description = "The user is not known; or `id` is missing, empty, given \
            twice or not valid.",
            body = String, content_type = "text/plain", example = "Bad Request"),
        (status = 403, description = "The key's scope does not include this.",
            body = String, content_type = "text/plain"),
    )
)]
pub(super) async fn get_user(
    caller: DialectCaller<StreamRequests, Service>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let id = query::single(uri.query(), ID)
        .map_err(as_bad_request)?
        .ok_or_else(bad_request)?;
    let user = caller.user(ID, &id).map_err(as_bad_request)?;
    let found = caller.engine().user(&user, user_and_sessions_of).await?;
    let (user, watching) = found.ok_or_else(bad_request)?;
    Ok(answer::json(StatusCode::OK, &User::new(&user, &watching)))
}
