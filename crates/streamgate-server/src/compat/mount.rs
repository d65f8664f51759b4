//! Every dialect as a service, and where it is mounted.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, Uri};
use axum::response::Redirect;
use axum::routing::{any, get};
use bytes::Bytes;
use tower::ServiceExt as _;
use tower::util::MapRequest;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::answer;
use super::concurrency_service::ConcurrencyService;
use super::dialect::{Dialect, no_such_call};
use super::session_tracker::SessionTracker;
use super::stream_log::StreamLog;
use super::stream_requests::StreamRequests;
use super::user_streams::UserStreams;
use crate::document;
use crate::settings::DialectName;
use crate::state::App;
use crate::surround::{Surround, with_path};

/// A dialect as a service. Where it is mounted, only its document says.
type Spoken = MapRequest<Router, fn(Request) -> Request>;

/// Calls a function of the dialect that has this name.
macro_rules! of_dialect {
    ($name:expr, $call:ident($($argument:expr),*)) => {
        match $name {
            DialectName::SessionTracker => $call::<SessionTracker>($($argument),*),
            DialectName::ConcurrencyService => $call::<ConcurrencyService>($($argument),*),
            DialectName::StreamLog => $call::<StreamLog>($($argument),*),
            DialectName::UserStreams => $call::<UserStreams>($($argument),*),
            DialectName::StreamRequests => $call::<StreamRequests>($($argument),*),
        }
    };
}

/// Mounts the dialects that the settings name, one of them also at the root.
pub(crate) fn mount(router: Router, app: &Arc<App>, surround: &Surround) -> Router {
    let mut router = router;
    for name in &app.compat.dialects {
        let at = path_of(*name);
        let service = of_dialect!(*name, service(&at, app, surround));
        router = if of_dialect!(*name, has_home()) {
            // Without the slash, the relative links of its pages would lead astray.
            let home = format!("{at}/");
            let redirect = any(redirect_to(home.clone()));
            router
                .route(&at, surround.around(&at, redirect))
                .nest_service(&home, service)
        } else {
            router.nest_service(&at, service)
        };
    }
    match app.compat.root {
        None => router,
        // Whatever is none of our own paths.
        Some(name) => router.fallback_service(of_dialect!(name, service("/", app, surround))),
    }
}

/// The OpenAPI document of a dialect, as a server that asks for keys only where it must serves it.
#[must_use]
pub fn dialect_openapi(name: DialectName) -> OpenApi {
    let at = path_of(name);
    of_dialect!(name, unserved_document(&at))
}

/// The same as JSON, indented.
#[must_use]
pub fn dialect_openapi_json(name: DialectName) -> String {
    document::to_json(&dialect_openapi(name))
}

/// Where the document of a dialect that is mounted is served.
pub(crate) fn document_path(name: DialectName) -> String {
    format!("{}{DOCUMENT}", path_of(name))
}

/// Where a dialect is mounted.
fn path_of(name: DialectName) -> String {
    format!("/compat/{}", name.as_str())
}

/// The document of a dialect without its service.
fn unserved_document<D: Dialect>(at: &str) -> OpenApi {
    let calls = D::routes()
        .into_iter()
        .fold(OpenApiRouter::new(), OpenApiRouter::routes);
    described::<D>(calls.into_openapi(), at, false)
}

/// The document of these calls of a dialect that is mounted `at` a path; whether all need a key.
fn described<D: Dialect>(calls: OpenApi, at: &str, needs_key: bool) -> OpenApi {
    let needs_key = needs_key || D::ALWAYS_ASKS_FOR_KEY;
    document::of_dialect(calls, D::NAME, D::ABOUT, at, needs_key)
}

/// The dialect as a service.
fn service<D: Dialect>(at: &str, app: &Arc<App>, surround: &Surround) -> Spoken {
    let surrounded = |path: &str, methods| {
        let route = format!("{}{path}", path_of(D::NAME));
        D::around(surround, &route, methods)
    };
    let mut calls = OpenApiRouter::new();
    for routes in D::routes() {
        calls = calls.routes(with_path(routes, |path, methods| {
            surrounded(path, methods.fallback(no_such_call::<D>))
        }));
    }
    let (mut router, calls) = calls.split_for_parts();
    let mut document = described::<D>(calls, at, app.compat.require_key);
    if app.keys.load().is_open() {
        document::without_keys(&mut document);
    }
    let document = Bytes::from(document::to_json(&document));
    let document = get(async move || answer::written(StatusCode::OK, answer::JSON, document));
    for (path, methods) in [(DOCUMENT, document)].into_iter().chain(D::pages()) {
        let methods = methods.fallback(no_such_call::<D>);
        router = router.route(path, surrounded(path, methods));
    }
    let router = router
        .fallback_service(surrounded("", any(no_such_call::<D>)).with_state(Arc::clone(app)))
        .with_state(Arc::clone(app));
    router.map_request(if D::LENIENT_PATHS { lenient } else { exact })
}

/// Whether people find pages at the dialect's own root.
fn has_home<D: Dialect>() -> bool {
    D::HAS_HOME
}

/// Sends callers on, whatever their method.
fn redirect_to(path: String) -> impl Handler<((),), ()> {
    async move || Redirect::permanent(&path)
}

/// Where each dialect has its document.
const DOCUMENT: &str = "/openapi.json";

/// The request as it is.
fn exact(request: Request) -> Request {
    request
}

/// The request with its path in lower case and without a slash at the end.
fn lenient(mut request: Request) -> Request {
    let mut path = request.uri().path().to_ascii_lowercase();
    if path.len() > 1 && path.ends_with('/') {
        path.pop();
    }
    if let Some(query) = request.uri().query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = request.uri().clone().into_parts();
    // What was a path and a query still is one, in lower case.
    if let Ok(path) = PathAndQuery::try_from(path) {
        parts.path_and_query = Some(path);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}
