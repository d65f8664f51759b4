//! `GET /`: says that the service is there.

use axum::http::StatusCode;
use axum::response::Response;

use super::super::answer;

/// Whether the service is there
///
/// It does not look at the store; `/readyz` does.
#[utoipa::path(
    get,
    path = "/",
    security(()),
    responses((status = 200, description = "It is.", body = String, content_type = "text/plain",
        example = "OK"))
)]
pub(super) async fn root() -> Response {
    answer::response(StatusCode::OK, answer::TEXT, "OK")
}
