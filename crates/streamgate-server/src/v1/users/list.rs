//! `GET /v1/users`: all users, page by page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use streamgate_core::admission::user_of;
use utoipa::ToSchema;

use super::User;
use crate::caller::access::{Caller, Service};
use crate::problem::ApiError;
use crate::state::App;
use crate::wire;
use crate::wire::query::{PageParams, PageQuery, cursor_text};

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsersPage<'a> {
    /// The users, in an order of the store's own.
    users: Vec<User<'a>>,
    /// Where the next page begins; null at the end.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// All users
///
/// A user that is there from the first page to the last is listed exactly once. Scope: `service`.
#[utoipa::path(
    get,
    path = "/v1/users",
    extensions(("x-streamgate-scope" = json!("service"))),
    tag = "users",
    params(PageParams),
    responses(
        (status = 200, description = "A page of users.", body = UsersPage<'_>),
    )
)]
pub(crate) async fn list_users(
    State(app): State<Arc<App>>,
    caller: Caller<Service>,
    query: PageQuery,
) -> Result<Response, ApiError> {
    let page = app
        .engine
        .users(
            &caller.tenant,
            query.from.as_ref(),
            query.page_size,
            user_of,
        )
        .await?;
    let answer = UsersPage {
        users: page
            .users
            .iter()
            .map(|(user, view)| User::new(user.user(), view))
            .collect(),
        next_cursor: page.next.as_ref().map(cursor_text),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}
