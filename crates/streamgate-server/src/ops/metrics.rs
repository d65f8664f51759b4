//! `GET /metrics`: metrics of the process, for Prometheus.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::caller::access::authorize;
use crate::caller::keys::Scope;
use crate::problem::ApiError;
use crate::problem_docs::NeedsKey;
use crate::state::App;
use crate::wire::answer::with_body;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// How long the store, and then the system, may take to say how they are. Scrapers wait for ten
/// seconds unless told otherwise.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the process counts
///
/// In the Prometheus text format 0.0.4; in that of OpenMetrics where the header `Accept` prefers
/// it. Open unless the server is configured to ask for a key of scope `admin`.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "ops",
    security(()),
    responses(
        (status = 200, description = "All metrics.", content(
            (String = "text/plain; version=0.0.4; charset=utf-8"),
            (String = "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        )),
        NeedsKey,
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
    app.metrics.set_body_bytes(app.body_memory.taken());
    app.metrics.set_issuers(&app.tokens.load().status());
    let is_usable = timeout(PATIENCE, app.engine.check_ready()).await;
    app.metrics
        .set_store_usable(is_usable.is_ok_and(|ready| ready.is_ok()));
    let metrics = Arc::clone(&app.metrics);
    // Whatever does not answer in time is not on the page, or as it was last.
    let _ = timeout(PATIENCE, spawn_blocking(move || metrics.ask_system())).await;
    let (page, kind) = if prefers_open_metrics(&parts.headers) {
        (app.metrics.render(), OPENMETRICS)
    } else {
        (app.metrics.render_text(), TEXT)
    };
    Ok(with_body(StatusCode::OK, kind, page))
}

/// Whether a scraper names OpenMetrics, and no other format with a higher weight.
fn prefers_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    let (mut open_metrics, mut text) = (0.0, 0.0);
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        let weight = weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0));
        let place = if kind.eq_ignore_ascii_case("application/openmetrics-text") {
            &mut open_metrics
        } else if kind.eq_ignore_ascii_case("text/plain") {
            &mut text
        } else {
            continue;
        };
        *place = weight.max(*place);
    }
    open_metrics > 0.0 && open_metrics >= text
}
