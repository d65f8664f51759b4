//! `GET /metrics`: what the process counts, for Prometheus.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::access::authorize;
use crate::keys::Scope;
use crate::problem::{ApiError, Problem};
use crate::state::App;

const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// What the process counts
///
/// In the text format of OpenMetrics, which Prometheus reads. Open unless the server is configured
/// to ask for a key of scope `admin`.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "ops",
    security(()),
    responses(
        (status = 200, description = "All metrics.", body = String,
            content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (status = 401, description = "`unauthenticated`: this server asks for a key.",
            body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: the key's scope is not `admin`.",
            body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn metrics(
    State(app): State<Arc<App>>,
    parts: Parts,
) -> Result<Response, ApiError> {
    if app.metrics_require_key {
        authorize(&app, &app.keys.load(), &parts, Scope::Admin)?;
    }
    if let Some(users) = app.engine.record_count() {
        app.metrics.set_users(users);
    }
    app.metrics
        .set_degraded_sessions(app.engine.degraded_sessions());
    let mut response = Response::new(Body::from(app.metrics.render()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, OPENMETRICS);
    Ok(response)
}
