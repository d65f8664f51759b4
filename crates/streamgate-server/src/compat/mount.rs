//! Every dialect as a service, and where it is mounted. The only place that lists their types.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{Redirect, Response};
use axum::routing::{MethodRouter, any, get};
use bytes::Bytes;
use tower::ServiceExt as _;
use tower::util::{MapRequest, MapResponseLayer};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::concurrency_service::ConcurrencyService;
use super::dialect::{Dialect, no_such_call};
use super::session_tracker::SessionTracker;
use super::settings::{CompatSettings, DialectName};
use super::stream_log::StreamLog;
use super::stream_requests::StreamRequests;
use super::user_streams::UserStreams;
use super::{answer, refusals};
use crate::document::{self, OpenApiVersion};
use crate::problem::ApiError;
use crate::routing::layers::{RouteLayers, with_path};
use crate::state::{App, Gateway};

/// A dialect as a service at the root.
type RootService = MapRequest<DialectService, fn(Request) -> Request>;

/// A dialect as a service. It does not know where it is mounted; its document does.
type DialectService = MapRequest<Router, fn(Request) -> Request>;

/// Calls a generic function with the type of the dialect that has this name.
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

/// Mounts the dialects that the settings list, and one of them at the root as well.
pub(crate) fn mount(router: Router, app: &Arc<App>, layers: &RouteLayers) -> Router {
    let mut router = router;
    for name in &app.compat.dialects {
        let at = path_of(*name);
        let service = of_dialect!(*name, service(app, layers));
        router = if of_dialect!(*name, has_home()) {
            // Relative links of its pages need the slash at the end.
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
        // Everything that no own path matches.
        Some(name) => router.fallback_service(of_dialect!(name, at_root(app, layers))),
    }
}

/// The OpenAPI document of a dialect; the same on every server, whatever its settings.
pub(crate) fn document(name: DialectName) -> OpenApi {
    of_dialect!(name, document_of())
}

/// The mounted dialects that ask for no API key even where keys exist.
#[must_use]
pub fn dialects_without_key(settings: &CompatSettings) -> Vec<DialectName> {
    let mounted = settings.dialects.iter().copied();
    mounted
        .filter(|name| !of_dialect!(*name, asks_for_key(settings)))
        .collect()
}

/// Where the document of a mounted dialect is served.
pub(crate) fn document_path(name: DialectName) -> String {
    format!("{}{DOCUMENT}", path_of(name))
}

/// Where a dialect is mounted.
fn path_of(name: DialectName) -> String {
    format!("/compat/{}", name.as_str())
}

/// The document of a dialect. Its server is the mount path, where the dialect is in any case.
fn document_of<D: Dialect>() -> OpenApi {
    let calls = D::routes()
        .into_iter()
        .fold(OpenApiRouter::new(), OpenApiRouter::routes);
    let at = path_of(D::NAME);
    let errors = refusals::common::<D>();
    document::of_dialect(calls.into_openapi(), &errors, D::NAME, D::ABOUT, &at)
}

/// The dialect as a service.
pub(super) fn service<D: Dialect>(app: &Arc<App>, layers: &RouteLayers) -> DialectService {
    let layered = |path: &str, methods: MethodRouter<Arc<App>>| {
        let route = format!("{}{path}", path_of(D::NAME));
        let methods = methods
            .fallback(no_such_call::<D>)
            .layer(MapResponseLayer::new(error_response::<D>));
        D::around(layers, &route, methods)
    };
    let mut calls = OpenApiRouter::new();
    for routes in D::routes() {
        calls = calls.routes(with_path(routes, |path, methods| layered(path, methods)));
    }
    let (mut router, _) = calls.split_for_parts();
    for (path, methods) in documents::<D>().into_iter().chain(D::pages()) {
        router = router.route(path, layered(path, methods));
    }
    let router = router
        .fallback_service(layered("", any(no_such_call::<D>)).with_state(Arc::clone(app)))
        .with_state(Arc::clone(app));
    router.map_request(with_path_of::<D>)
}

/// The dialect as a service at the root: a stage that a gateway took off the path comes back, if
/// the paths of the dialect begin with one.
fn at_root<D: Dialect>(app: &Arc<App>, layers: &RouteLayers) -> RootService {
    service::<D>(app, layers).map_request(if D::BEGINS_WITH_STAGE {
        with_stage
    } else {
        std::convert::identity
    })
}

/// Puts the stage back in front of the path.
fn with_stage(request: Request) -> Request {
    let gateway = request.extensions().get::<Gateway>();
    let Some(stage) = gateway.and_then(|gateway| gateway.stage.as_deref()) else {
        return request;
    };
    let path = format!("/{stage}{}", request.uri().path());
    with_new_path(request, path)
}

/// The response to a request that failed, as the dialect writes it.
fn error_response<D: Dialect>(mut response: Response) -> Response {
    match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error.respond_with(D::failure),
        None => response,
    }
}

/// The routes of the dialect's document.
fn documents<D: Dialect>() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    let document = Bytes::from(document::to_json(&document_of::<D>(), OpenApiVersion::V3_1));
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

/// Whether the dialect has pages for people at its own root.
fn has_home<D: Dialect>() -> bool {
    D::HAS_HOME
}

/// Whether the dialect asks for an API key where keys exist.
fn asks_for_key<D: Dialect>(settings: &CompatSettings) -> bool {
    D::asks_for_key(settings)
}

/// A redirect, for any method.
fn redirect_to(path: String) -> impl Handler<((),), ()> {
    async move || Redirect::permanent(&path)
}

/// Where each dialect has its document.
const DOCUMENT: &str = "/openapi.json";

/// Where a dialect with pages for people also has it as YAML: JSON is valid YAML.
const DOCUMENT_IN_YAML: &str = "/openapi.yaml";

/// The media type of YAML, as the framework of the original wrote it.
const YAML: HeaderValue = HeaderValue::from_static("text/yaml; charset=utf-8");

/// Replaces the path of a request by [`Dialect::path`] of it, before the router matches.
fn with_path_of<D: Dialect>(request: Request) -> Request {
    let path = D::path(request.uri().path());
    if path == request.uri().path() {
        return request;
    }
    let path = path.into_owned();
    with_new_path(request, path)
}

/// The request with another path and the same query.
fn with_new_path(mut request: Request, path: String) -> Request {
    let uri = request.uri();
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    // Parts of a valid path, its lower case, or a stage before it, are a valid path.
    if let Ok(path_and_query) = PathAndQuery::try_from(path_and_query) {
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}
