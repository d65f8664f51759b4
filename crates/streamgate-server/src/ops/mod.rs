//! Endpoints for operators: health, metrics, backups, the OpenAPI document and its explorer.

mod backup;
pub(crate) mod docs;
mod health;
mod metrics;
mod openapi;

use std::sync::Arc;

use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::state::App;

/// Every path of the document with its methods.
pub(crate) fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
    vec![
        routes!(health::healthz),
        routes!(health::readyz),
        routes!(metrics::metrics),
        routes!(backup::backup),
    ]
}

/// The path of the document itself.
pub(crate) fn document_route() -> UtoipaMethodRouter<Arc<App>> {
    routes!(openapi::openapi_json)
}
