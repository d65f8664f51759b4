//! Well-known URIs (RFC 8615).

mod jwks;

use std::sync::Arc;

use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::state::App;

/// Every path with its methods.
pub(crate) fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
    vec![routes!(jwks::jwks)]
}
