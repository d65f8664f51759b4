//! `GET /healthz` and `GET /readyz`: liveness (restart the process or not) and readiness (send it
//! traffic or not).

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{ApiError, Code, Problem};
use crate::state::{App, Draining};
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
/// Says ok as long as the process can answer; a store that is down is no reason to restart.
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
/// Not ready while the store cannot be used, unless the server is set to admit players without it;
/// nor once the process was told to stop, so that a load balancer turns away before the listener
/// closes.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "ops",
    security(()),
    responses(
        (status = 200, description = "Send traffic.", body = Health),
        (status = 503, description = "`store_unavailable`: the store cannot be used now. \
            `stopping`: the process was told to stop.",
            body = Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "Seconds to wait before asking again."))),
    )
)]
pub(crate) async fn readyz(
    State(app): State<Arc<App>>,
    draining: Option<Extension<Draining>>,
) -> Result<Response, ApiError> {
    if draining.is_some() {
        let detail = "the server was told to stop; others serve";
        return Err(ApiError::retry_after(Code::Stopping, detail, 1));
    }
    match app.engine.check_ready().await {
        Ok(()) => Ok(healthy("ok")),
        Err(error) if app.engine.fails_open() && error.is_retryable() => Ok(healthy("degraded")),
        Err(error) => Err(error.into()),
    }
}

fn healthy(status: &'static str) -> Response {
    wire::json(StatusCode::OK, &Health { status })
}
