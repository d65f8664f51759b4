//! The router. (Skeleton.)

use std::sync::Arc;

use axum::Router;
use streamgate_engine::Engine;

use crate::metrics::Metrics;
use crate::settings::ServerSettings;

/// The service: every endpoint over this engine.
#[must_use]
pub fn app(_engine: Arc<Engine>, _settings: ServerSettings, _metrics: Arc<Metrics>) -> Router {
    Router::new()
}
