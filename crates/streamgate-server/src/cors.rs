//! Cross-origin requests: which web pages may call from a browser. Off unless configured.

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::request_id::X_REQUEST_ID;
use crate::settings::{AllowedOrigins, CorsSettings};

/// The layer that answers preflight requests and marks answers; `None` where no origin is allowed.
pub(crate) fn layer(settings: &CorsSettings) -> Option<CorsLayer> {
    let layer = CorsLayer::new();
    let layer = match &settings.allowed_origins {
        AllowedOrigins::None => return None,
        AllowedOrigins::Any => layer.allow_origin(Any),
        AllowedOrigins::List(origins) => layer.allow_origin(AllowOrigin::list(
            // An origin that is no header value is none that a browser could send.
            origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok()),
        )),
    };
    let layer = layer
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            HeaderName::from_static("x-api-key"),
            X_REQUEST_ID,
        ])
        .expose_headers([header::LOCATION, header::RETRY_AFTER, X_REQUEST_ID]);
    Some(match settings.max_age {
        Some(max_age) => layer.max_age(max_age),
        None => layer,
    })
}
