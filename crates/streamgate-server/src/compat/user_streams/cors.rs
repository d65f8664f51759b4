//! CORS as the original had it: every response allows `*`, also without an `Origin`. Unlike the
//! original, only for pages of the origins that the settings allow.
//!
//! The headers contradict each other on purpose: with `*`, no browser hands a response to a request
//! with credentials to the page. Clients have seen both headers, and together they allow nothing.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN,
    VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use crate::caller::browser::is_of_other_site;
use crate::settings::AllowedOrigins;
use crate::wire;

/// Adds the headers for pages of allowed origins. Any OPTIONS request counts as a preflight.
pub(super) async fn allow_origins(
    State(allowed): State<Arc<AllowedOrigins>>,
    request: Request,
    next: Next,
) -> Response {
    let is_allowed = match request.headers().get(ORIGIN) {
        Some(origin) => allowed.allows(origin),
        // No cross-origin request: the headers give no page access.
        None => *allowed == AllowedOrigins::Any || !is_of_other_site(request.headers()),
    };
    let mut response = if request.method() == Method::OPTIONS {
        preflight(request.headers(), is_allowed)
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if is_allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
    if *allowed != AllowedOrigins::Any {
        // A cache must not serve the response for one origin to another.
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    response
}

/// The response to a preflight: all methods of the original, and the headers that it asks for. A
/// page that is not allowed gets no header that permits anything.
fn preflight(asked: &HeaderMap, is_allowed: bool) -> Response {
    let mut response = wire::no_content();
    if !is_allowed {
        return response;
    }
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    headers.insert(VARY, HeaderValue::from(ACCESS_CONTROL_REQUEST_HEADERS));
    if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    response
}
