//! `GET /openapi.json`: the document of this API, made from the handlers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::state::App;
use crate::wire::answer::{JSON, with_body};

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "ops",
    security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = Object,
        content_type = "application/json"))
)]
pub(crate) async fn openapi_json(State(app): State<Arc<App>>) -> Response {
    with_body(StatusCode::OK, JSON, app.openapi.clone())
}
