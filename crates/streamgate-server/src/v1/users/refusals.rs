//! `GET /v1/users/{user_id}/refusals`: why a user was refused lately.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::access::{Player, UserPath};
use crate::problem::ApiError;
use crate::state::App;
use crate::v1::refusals::RefusalText;
use crate::wire;
use crate::wire::query::no_parameters;
use crate::wire::schema::{UserIdSchema, UserParam};

/// The last refusals of a user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserRefusals<'a> {
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    /// `node`: other nodes remember their own.
    #[schema(example = "node")]
    scope: &'static str,
    /// Newest first; none for a user that was never seen.
    #[schema(max_items = 20)]
    refusals: Vec<RefusalText<'a>>,
}

/// Why a user was refused
///
/// The last refusals, as far as this node refused the start itself and remembers it: 20 of a user;
/// the users go first whose last refusal is the oldest. Scope: `player`.
#[utoipa::path(
    get,
    path = "/v1/users/{user_id}/refusals",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    tag = "users",
    params(UserParam),
    responses((status = 200, description = "The refusals.", body = UserRefusals<'_>))
)]
pub(crate) async fn list_refusals_of_user(
    State(app): State<Arc<App>>,
    target: UserPath<Player>,
    parts: Parts,
) -> Result<Response, ApiError> {
    no_parameters(&parts.uri)?;
    let found = app.activity.refusals_of(&target.user);
    let wall = app.engine.wall();
    let refusals = found.iter().map(|refusal| RefusalText::new(refusal, wall));
    let answer = UserRefusals {
        user_id: target.user.user(),
        scope: "node",
        refusals: refusals.collect(),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}
