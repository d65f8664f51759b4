//! Pages for people: the front page at `/`, the demo at `/demo/`, the console at `/console/`.
//!
//! Their files are in the binary ([`files`]); a debug build reads them from `web/`, so that an edit
//! needs no build. They hold no data and ask for no key: what they show comes from the public API.
//! What is *not* here: the API explorer ([`crate::ops::docs`]) and the pages of dialects.

mod files;
pub(crate) mod front;

use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{MethodRouter, get};

use crate::routing::fallback::method_not_allowed;
use crate::routing::layers::RouteLayers;
use crate::settings::PagesSettings;
use crate::state::App;
use files::Folder;

/// The routes of the files, one for each: a dialect at the root may have paths beside them.
pub(crate) fn router(settings: PagesSettings, layers: &RouteLayers) -> Router<Arc<App>> {
    Folder::ALL
        .into_iter()
        .filter(|folder| folder.is_served(settings))
        .fold(Router::new(), |router, folder| add(router, folder, layers))
}

/// Adds the files of a folder. In metrics and logs they are one route.
fn add(router: Router<Arc<App>>, folder: Folder, layers: &RouteLayers) -> Router<Arc<App>> {
    let prefix = folder.prefix();
    let template = format!("{prefix}{{file}}");
    // Observed only: pages of other origins have no business here, whatever CORS allows.
    let around = |methods: MethodRouter<Arc<App>>| {
        layers.observe(&template, methods.fallback(method_not_allowed))
    };
    let mut router = router;
    for name in folder.names() {
        router = router.route(&format!("{prefix}{name}"), around(folder.file(name)));
    }
    if !folder.is_page() {
        return router;
    }
    // Relative links of the page need the slash at the end.
    let without_slash = prefix.trim_end_matches('/');
    let redirect = get(async move || Redirect::permanent(prefix));
    router
        .route(prefix, around(folder.file(files::INDEX.into())))
        .route(without_slash, around(redirect))
}
