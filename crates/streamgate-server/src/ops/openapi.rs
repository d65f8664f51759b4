//! `GET /openapi.json`: the document of this API, made from the handlers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::state::App;

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
    let mut response = Response::new(Body::from(app.openapi.clone()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
