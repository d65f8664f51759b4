//! Cross-origin requests: which web pages may call from a browser. Off unless configured.

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::push::LAST_EVENT_ID;
use crate::routing::request_id::X_REQUEST_ID;
use crate::settings::{AllowedOrigins, CorsSettings};
use crate::telemetry::{TRACEPARENT, TRACERESPONSE, TRACESTATE};

/// The calls that a page may send as a beacon while it is being closed. A beacon always carries the
/// browser's credentials for the server, so these answers allow credentials and name the origin:
/// browsers do not accept `*` together with credentials.
const BEACONS: [&str; 3] = [
    "/v1/users/{user_id}/sessions/{session_id}/stop",
    "/v1/heartbeats",
    "/compat/session-tracker/remove-session",
];

/// The layer that answers preflight requests and adds headers to answers of this route; `None` if
/// no origin is allowed.
pub(crate) fn layer(settings: &CorsSettings, route: &str) -> Option<CorsLayer> {
    let is_beacon = BEACONS.contains(&route);
    let layer = CorsLayer::new().allow_credentials(is_beacon);
    let layer = match &settings.allowed_origins {
        AllowedOrigins::None => return None,
        AllowedOrigins::Any if is_beacon => layer.allow_origin(AllowOrigin::mirror_request()),
        AllowedOrigins::Any => layer.allow_origin(Any),
        AllowedOrigins::List(origins) => layer.allow_origin(AllowOrigin::list(
            // A browser cannot send an origin that is not a header value.
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
            // A page that traces its calls sends both.
            TRACEPARENT,
            TRACESTATE,
            // Of an event stream that is read by a script, which sends it itself.
            LAST_EVENT_ID,
        ])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            X_REQUEST_ID,
            TRACERESPONSE,
        ]);
    Some(match settings.max_age {
        Some(max_age) => layer.max_age(max_age),
        None => layer,
    })
}
