//! The layers around every route: CORS, and around it observation (request id, log, metrics).
//!
//! In this order, so that a CORS preflight, which no endpoint sees, has a request id, a log line
//! and its place in the metrics like every other request.

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use tower_http::cors::CorsLayer;
use utoipa_axum::router::{UtoipaMethodRouter, UtoipaMethodRouterExt as _};

use crate::caller::trusted_proxies::TrustedProxies;
use crate::metrics::Metrics;
use crate::routing::cors;
use crate::routing::observe::{Route, observe};
use crate::settings::{AllowedOrigins, CorsSettings, ServerSettings};
use crate::telemetry::Tracer;

/// The layers around every route.
#[derive(Debug)]
pub(crate) struct RouteLayers {
    cors: CorsSettings,
    allowed_origins: Arc<AllowedOrigins>,
    metrics: Arc<Metrics>,
    tracer: Option<Arc<dyn Tracer>>,
    trusted_proxies: Arc<TrustedProxies>,
}

impl RouteLayers {
    /// As these settings say, and observed in these metrics.
    pub(crate) fn new(settings: &ServerSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            cors: settings.cors.clone(),
            allowed_origins: Arc::new(settings.cors.allowed_origins.clone()),
            metrics,
            tracer: settings.tracer.clone(),
            trusted_proxies: Arc::new(settings.http.trusted_proxies.clone()),
        }
    }

    /// The route of this template as it is observed.
    pub(crate) fn observed(&self, template: &str) -> Arc<Route> {
        let metrics = self.metrics.http_route(template);
        let trusted = Arc::clone(&self.trusted_proxies);
        Arc::new(Route::new(metrics, self.tracer.clone(), trusted))
    }

    /// The CORS layer of this route; `None` if no origin is allowed.
    pub(crate) fn cors(&self, route: &str) -> Option<CorsLayer> {
        cors::layer(&self.cors, route)
    }

    /// The origins whose pages may call.
    pub(crate) fn allowed_origins(&self) -> &Arc<AllowedOrigins> {
        &self.allowed_origins
    }

    /// Puts the layers around the methods of one path; `route` is its template.
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

    /// Puts only the observation around them, for routes with their own CORS headers.
    pub(crate) fn observe<S>(&self, route: &str, methods: MethodRouter<S>) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        methods.layer(from_fn_with_state(self.observed(route), observe))
    }
}

/// Applies `around` to the methods of one path; it gets the template of the path.
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
