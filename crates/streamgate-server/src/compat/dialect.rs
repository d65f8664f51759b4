//! What a dialect is: a name, its endpoints, and how it says that something is wrong. Whatever one
//! dialect does differently from the others is a function here, with what most do as its default.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::MethodRouter;
use utoipa_axum::router::UtoipaMethodRouter;

use super::settings::{CompatSettings, DialectName};
use crate::caller::grant::Permit;
use crate::caller::keys::Scope;
use crate::caller::{access, browser};
use crate::problem::{ApiError, Code};
use crate::routing::layers::RouteLayers;
use crate::state::App;

/// The HTTP API of an earlier system.
pub(crate) trait Dialect: Send + Sync + Sized + 'static {
    /// Its name.
    const NAME: DialectName;

    /// The description in its OpenAPI document: Markdown.
    const ABOUT: &'static str;

    /// The schema of the body of [`failure`](Self::failure) in the document; `None` for text.
    const ERROR_SCHEMA: Option<&'static str>;

    /// Whether it has pages for people at its own root.
    const HAS_HOME: bool = false;

    /// Whether its calls by GET change something. A browser sends those for any page, without
    /// asking.
    const CHANGES_BY_GET: bool = false;

    /// Whether its own paths begin with the stage of a gateway.
    const BEGINS_WITH_STAGE: bool = false;

    /// Its endpoints: every path with its methods, in the order of the document.
    fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>>;

    /// Further paths, which its document does not mention: pages for people, other spellings.
    fn pages() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
        Vec::new()
    }

    /// The response to a request that failed before or in its endpoint.
    fn failure(error: &ApiError) -> Response;

    /// The response to a request for an endpoint that does not exist.
    fn no_such_call(_request: &Parts) -> Response {
        Self::failure(&ApiError::new(Code::NotFound, "there is no such call"))
    }

    /// Whether it asks for an API key where keys exist.
    fn asks_for_key(settings: &CompatSettings) -> bool {
        settings.require_key
    }

    /// Authenticates the caller of a request that needs the scope `needed`. The default knows API
    /// keys and viewer tokens, and callers without either where the dialect asks for none. A
    /// dialect with other credentials reads them here; its 401 has a `WWW-Authenticate` only if the
    /// error that it returns has one.
    fn caller(parts: &Parts, app: &App, needed: Scope) -> Result<Permit, ApiError> {
        let keys = app.keys.load();
        let changes = Self::CHANGES_BY_GET || !browser::is_safe(&parts.method);
        let needs_key = Self::asks_for_key(&app.compat);
        let grant = access::authorize_call(app, &keys, parts, needed, needs_key, changes)?;
        Ok(Permit::of(&grant, app, parts))
    }

    /// The path that the router looks up, made of the path of a request: for dialects in which
    /// several spellings are one path.
    fn path(path: &str) -> Cow<'_, str> {
        Cow::Borrowed(path)
    }

    /// Layers the methods of one of its routes; `route` is the label for metrics and logs.
    fn around(
        layers: &RouteLayers,
        route: &str,
        methods: MethodRouter<Arc<App>>,
    ) -> MethodRouter<Arc<App>> {
        layers.around(route, methods)
    }
}

/// Handler of requests that are no call of the dialect. Where GET starts a session, HEAD is one of
/// them: without a handler of its own, a router sends HEAD to that of GET.
pub(crate) async fn no_such_call<D: Dialect>(request: Parts) -> Response {
    D::no_such_call(&request)
}
