//! `GET /healthz` and `GET /readyz`: whether to restart this process, and whether to send it traffic.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{ApiError, Problem};
use crate::state::App;
use crate::wire;

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`; or `degraded`, where the store cannot be used and players are let in without it.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process lives
///
/// Answers as long as the process can answer at all; a store that is down is no reason to restart.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "ops",
    security(()),
    responses((status = 200, description = "It lives.", body = Health))
)]
pub(crate) async fn healthz() -> Response {
    healthy("ok")
}

/// Whether to send traffic
///
/// A server that is set to let players in without its store is ready without it, too.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "ops",
    security(()),
    responses(
        (status = 200, description = "Send traffic.", body = Health),
        (status = 503, description = "`store_unavailable`: the store cannot be used now.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait before asking again."))),
    )
)]
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    match app.engine.check_ready().await {
        Ok(()) => Ok(healthy("ok")),
        Err(error) if app.engine.fails_open() && error.is_retryable() => Ok(healthy("degraded")),
        Err(error) => Err(error.into()),
    }
}

fn healthy(status: &'static str) -> Response {
    wire::json(StatusCode::OK, &Health { status })
}
