//! Endpoints for operators: health, metrics, backups, the OpenAPI document and its explorer.

mod backup;
pub(crate) mod docs;
mod health;
mod metrics;
mod openapi;

use std::sync::Arc;

use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::site;
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

/// The paths at which a dialect at the root has its own: the document itself, and the root.
pub(crate) fn root_routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
    vec![routes!(openapi::openapi_json), routes!(site::front::front)]
}
