//! `GET /v1/users/{user_id}/sessions`: the live sessions of a user, page by page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use streamgate_core::admission::{Place, SessionsQuery, SessionsView};
use streamgate_core::bounds::SESSIONS_LISTED_MAX;
use streamgate_engine::Wall;
use utoipa::ToSchema;

use crate::caller::access::{Player, UserPath};
use crate::problem::ApiError;
use crate::state::App;
use crate::v1::session::Session;
use crate::wire;
use crate::wire::query::{PageQuery, cursor_text};
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

/// [`PageQuery`] of this list for the document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct UserSessionsParams {
    /// `next_cursor` of the page before; left out for the first page.
    #[param(max_length = 1024, pattern = "^[A-Za-z0-9_-]+$", value_type = Option<String>)]
    #[param(required = false)]
    cursor: Option<String>,
    /// Most entries of the page. A page may have fewer although more follow.
    #[param(minimum = 1, maximum = 100, default = 100, required = false)]
    page_size: Option<u32>,
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
    params(UserParam, UserSessionsParams),
    responses(
        (status = 200, description = "A page of the user's live sessions.",
            body = UserSessions<'_>),
    )
)]
pub(crate) async fn list_sessions_of_user(
    State(app): State<Arc<App>>,
    target: UserPath<Player>,
    page: PageQuery<Place, SESSIONS_LISTED_MAX>,
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
