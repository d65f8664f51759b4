//! `GET /v1/users/{user_id}/sessions`: the live sessions of a user, page by page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use streamgate_core::admission::{Place, SessionsQuery, SessionsView};
use streamgate_engine::Wall;
use utoipa::ToSchema;

use crate::caller::access::{Player, UserPath};
use crate::problem::ApiError;
use crate::state::App;
use crate::v1::session::Session;
use crate::wire;
use crate::wire::query::{PageParams, PageQuery, cursor_text};
use crate::wire::schema::{LimitSchema, UserIdSchema, UserParam};
use crate::wire::time::Time;

/// Live sessions of a user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserSessions<'a> {
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    /// The user's limit.
    #[schema(value_type = LimitSchema)]
    limit: u32,
    /// The number of slots taken.
    #[schema(example = 1)]
    active: u32,
    /// The live sessions of this page, in the order in which they started.
    sessions: Vec<Session<'a>>,
    /// How many sessions are live, on this page or not.
    #[schema(example = 1)]
    sessions_total: u32,
    /// Where the next page begins; null at the end.
    #[schema(required)]
    next_cursor: Option<String>,
    /// When a start is admitted at the latest, without any further call. Only at the limit, and
    /// not for a limit of 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_slot_at: Option<Time>,
}

/// Who is watching now
///
/// A user never seen has no sessions and the default limit. A session that is live from the first
/// page to the last is listed exactly once. Scope: `player`.
#[utoipa::path(
    get,
    path = "/v1/users/{user_id}/sessions",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    tag = "sessions",
    params(UserParam, PageParams),
    responses(
        (status = 200, description = "A page of the user's live sessions.",
            body = UserSessions<'_>),
    )
)]
pub(crate) async fn list_sessions_of_user(
    State(app): State<Arc<App>>,
    target: UserPath<Player>,
    page: PageQuery<Place>,
) -> Result<Response, ApiError> {
    let query = SessionsQuery {
        after: page.from,
        size: page.page_size,
    };
    let view = app.engine.sessions(&target.user, &query).await?;
    let answer = UserSessions::new(target.user.user(), &view, app.engine.wall());
    Ok(wire::json(StatusCode::OK, &answer))
}

impl<'a> UserSessions<'a> {
    /// This page of the sessions of a user.
    pub(crate) fn new(user_id: &'a str, view: &'a SessionsView, wall: Wall) -> Self {
        Self {
            user_id,
            limit: view.limit,
            active: view.active,
            sessions: Session::list(user_id, &view.sessions, wall),
            sessions_total: view.active,
            next_cursor: view.next.as_ref().map(cursor_text),
            next_slot_at: view.next_slot_at.map(|at| Time::at(at, wall)),
        }
    }
}
