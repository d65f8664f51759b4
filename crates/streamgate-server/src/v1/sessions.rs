//! `GET /v1/sessions`: all live sessions, page by page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::session::Session;
use crate::caller::access::{Admin, Caller};
use crate::problem::ApiError;
use crate::state::App;
use crate::wire;
use crate::wire::query::{PageParams, PageQuery, cursor_text};

/// A page of live sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionsPage<'a> {
    /// The sessions; those of one user stand together.
    sessions: Vec<Session<'a>>,
    /// Where the next page begins; null at the end.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// All live sessions
///
/// A session that is live from the first page to the last is listed exactly once. Scope: `admin`.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    extensions(("x-streamgate-scope" = json!("admin"))),
    tag = "sessions",
    params(PageParams),
    responses(
        (status = 200, description = "A page of live sessions.", body = SessionsPage<'_>),
    )
)]
pub(crate) async fn list_sessions(
    State(app): State<Arc<App>>,
    caller: Caller<Admin>,
    query: PageQuery,
) -> Result<Response, ApiError> {
    let page = app
        .engine
        .all_sessions(&caller.tenant, query.from.as_ref(), query.page_size)
        .await?;
    let wall = app.engine.wall();
    let answer = SessionsPage {
        sessions: page
            .sessions
            .iter()
            .map(|(user, session)| Session::new(user.user(), session, wall))
            .collect(),
        next_cursor: page.next.as_ref().map(cursor_text),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}
