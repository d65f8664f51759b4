//! Every dialect as a service, and where it is mounted.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Redirect;
use axum::routing::{MethodRouter, any, get};
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
use crate::routing::layers::{RouteLayers, with_path};
use crate::settings::DialectName;
use crate::state::App;

/// A dialect as a service. Where it is mounted, only its document says.
type DialectService = MapRequest<Router, fn(Request) -> Request>;

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
pub(crate) fn mount(router: Router, app: &Arc<App>, layers: &RouteLayers) -> Router {
    let mut router = router;
    for name in &app.compat.dialects {
        let at = path_of(*name);
        let service = of_dialect!(*name, service(app, layers));
        router = if of_dialect!(*name, has_home()) {
            // Without the slash, the relative links of its pages would lead astray.
            let home = format!("{at}/");
            let redirect = any(redirect_to(home.clone()));
            router
                .route(&at, layers.around(&at, redirect))
                .nest_service(&home, service)
        } else {
            router.nest_service(&at, service)
        };
    }
    match app.compat.root {
        None => router,
        // Whatever is none of our own paths.
        Some(name) => router.fallback_service(of_dialect!(name, service(app, layers))),
    }
}

/// The OpenAPI document of a dialect. Every server serves this one, whatever its settings.
#[must_use]
pub fn dialect_openapi(name: DialectName) -> OpenApi {
    of_dialect!(name, document_of())
}

/// The same as JSON, indented.
#[must_use]
pub fn dialect_openapi_json(name: DialectName) -> String {
    document::to_json(&dialect_openapi(name))
}

/// The same as OpenAPI 3.0.3, for generators that read nothing newer.
#[must_use]
pub fn dialect_openapi_json_3_0(name: DialectName) -> String {
    document::to_json_3_0(&dialect_openapi(name))
}

/// Where the document of a dialect that is mounted is served.
pub(crate) fn document_path(name: DialectName) -> String {
    format!("{}{DOCUMENT}", path_of(name))
}

/// Where a dialect is mounted.
fn path_of(name: DialectName) -> String {
    format!("/compat/{}", name.as_str())
}

/// The document of a dialect. One that is at the root is also where this says that it is.
fn document_of<D: Dialect>() -> OpenApi {
    let calls = D::routes()
        .into_iter()
        .fold(OpenApiRouter::new(), OpenApiRouter::routes);
    let at = path_of(D::NAME);
    document::of_dialect(calls.into_openapi(), D::NAME, D::ABOUT, &at)
}

/// The dialect as a service.
fn service<D: Dialect>(app: &Arc<App>, layers: &RouteLayers) -> DialectService {
    let surrounded = |path: &str, methods| {
        let route = format!("{}{path}", path_of(D::NAME));
        D::around(layers, &route, methods)
    };
    let mut calls = OpenApiRouter::new();
    for routes in D::routes() {
        calls = calls.routes(with_path(routes, |path, methods| {
            surrounded(path, methods.fallback(no_such_call::<D>))
        }));
    }
    let (mut router, _) = calls.split_for_parts();
    for (path, methods) in documents::<D>().into_iter().chain(D::pages()) {
        let methods = methods.fallback(no_such_call::<D>);
        router = router.route(path, surrounded(path, methods));
    }
    let router = router
        .fallback_service(surrounded("", any(no_such_call::<D>)).with_state(Arc::clone(app)))
        .with_state(Arc::clone(app));
    router.map_request(if D::LENIENT_PATHS {
        lenient
    } else if D::MERGES_SLASHES_IN_FRONT {
        one_slash_in_front
    } else {
        exact
    })
}

/// The dialect's document, where its clients look for it.
fn documents<D: Dialect>() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    let document = Bytes::from(document::to_json(&document_of::<D>()));
    let response = |media_type: HeaderValue| {
        let document = document.clone();
        get(async move || answer::response(StatusCode::OK, media_type, document))
    };
    let mut documents = vec![(DOCUMENT, response(answer::JSON))];
    if D::HAS_HOME {
        documents.push((DOCUMENT_IN_YAML, response(YAML)));
    }
    documents
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

/// Where one with pages for people has it in YAML, which JSON is, too.
const DOCUMENT_IN_YAML: &str = "/openapi.yaml";

/// The media type of YAML, as the framework of the original wrote it.
const YAML: HeaderValue = HeaderValue::from_static("text/yaml; charset=utf-8");

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
    set_path(&mut request, path);
    request
}

/// The request without a second slash at the front of its path.
fn one_slash_in_front(mut request: Request) -> Request {
    let path = request.uri().path();
    if path.starts_with("//") {
        let path = format!("/{}", path.trim_start_matches('/'));
        set_path(&mut request, path);
    }
    request
}

/// Puts another path before the query.
fn set_path(request: &mut Request, mut path: String) {
    if let Some(query) = request.uri().query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = request.uri().clone().into_parts();
    // What was a path and a query still is one.
    if let Ok(path) = PathAndQuery::try_from(path) {
        parts.path_and_query = Some(path);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}
