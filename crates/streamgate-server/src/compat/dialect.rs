//! What a dialect is: a name, its calls, and how it says that something is wrong.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::MethodRouter;
use utoipa_axum::router::UtoipaMethodRouter;

use crate::problem::{ApiError, Code};
use crate::routing::layers::RouteLayers;
use crate::settings::DialectName;
use crate::state::App;

/// The language of an earlier system.
pub(crate) trait Dialect: Send + Sync + Sized + 'static {
    /// Its name.
    const NAME: DialectName;

    /// What its document says about it: Markdown.
    const ABOUT: &'static str;

    /// Whether its paths ignore case and a slash at the end.
    const LENIENT_PATHS: bool = false;

    /// Whether several slashes at the front of its paths count as one.
    const MERGES_SLASHES_IN_FRONT: bool = false;

    /// Whether it has pages for people at its own root.
    const HAS_HOME: bool = false;

    /// Whether it asks for a key wherever keys exist, also where configuration says that others do
    /// not.
    const ALWAYS_ASKS_FOR_KEY: bool = false;

    /// Whether its calls by GET change something. A browser sends those for any page, without asking.
    const CHANGES_BY_GET: bool = false;

    /// Its calls: every path with its methods, in the order of the document.
    fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>>;

    /// Further paths that its document does not mention: pages for people.
    fn pages() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
        Vec::new()
    }

    /// How the language says that a request got no answer of its call.
    fn failure(error: &ApiError) -> Response;

    /// How it says that there is no such call.
    fn no_such_call(_request: &Parts) -> Response {
        Self::failure(&ApiError::new(Code::NotFound, "there is no such call"))
    }

    /// What stands around each of its routes; `route` is the label for metrics and logs.
    fn around(
        layers: &RouteLayers,
        route: &str,
        methods: MethodRouter<Arc<App>>,
    ) -> MethodRouter<Arc<App>> {
        layers.around(route, methods)
    }
}

/// The answer to a request that is no call of the dialect; also to HEAD where GET starts a session,
/// because a router takes GET for both unless told.
pub(crate) async fn no_such_call<D: Dialect>(request: Parts) -> Response {
    D::no_such_call(&request)
}
