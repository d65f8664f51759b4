//! What stands around every route: who may call from a browser, and around that what is observed.
//!
//! In this order, so that a preflight, which no endpoint ever sees, has a request id, a line in the
//! log and its place in the metrics like everything else.

use std::sync::Arc;

use axum::routing::MethodRouter;
use tower_http::cors::CorsLayer;
use utoipa_axum::router::{UtoipaMethodRouter, UtoipaMethodRouterExt as _};

use crate::metrics::Metrics;
use crate::routing::cors;
use crate::routing::observe::Observe;
use crate::settings::{AllowedOrigins, CorsSettings};

/// What stands around every route.
#[derive(Debug)]
pub(crate) struct RouteLayers {
    cors: CorsSettings,
    allowed_origins: Arc<AllowedOrigins>,
    metrics: Arc<Metrics>,
}

impl RouteLayers {
    /// As the settings say, counted here.
    pub(crate) fn new(settings: &CorsSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            cors: settings.clone(),
            allowed_origins: Arc::new(settings.allowed_origins.clone()),
            metrics,
        }
    }

    /// The CORS layer of this route; `None` if no origin is allowed.
    pub(crate) fn cors(&self, route: &str) -> Option<CorsLayer> {
        cors::layer(&self.cors, route)
    }

    /// The origins whose pages may call.
    pub(crate) fn allowed_origins(&self) -> &Arc<AllowedOrigins> {
        &self.allowed_origins
    }

    /// Puts it around the methods of one path; `route` is the path's template.
    pub(crate) fn around<S>(&self, route: &str, methods: MethodRouter<S>) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let methods = match self.cors(route) {
            Some(cors) => methods.layer(cors),
            None => methods,
        };
        self.observe(route, methods)
    }

    /// Puts only what is observed around them, for those that answer pages of other origins in a
    /// way of their own.
    pub(crate) fn observe<S>(&self, route: &str, methods: MethodRouter<S>) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        methods.layer(Observe::new(route, &self.metrics))
    }
}

/// Puts something around the methods of one path; `around` is told the path's template.
pub(crate) fn with_path<S>(
    routes: UtoipaMethodRouter<S>,
    around: impl FnOnce(&str, MethodRouter<S>) -> MethodRouter<S>,
) -> UtoipaMethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let path = routes.1.paths.keys().next().cloned();
    let path = path.expect("an endpoint has a path");
    routes.map(|methods| around(&path, methods))
}
