//! The service put together: what every request shares, and the list of endpoints.
//!
//! What is *not* here: what an endpoint does ([`crate::v1`], [`crate::ops`]), the fast path
//! ([`crate::routing::fast_path`]), and connections ([`crate::connection`]).

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use streamgate_core::TenantId;
use streamgate_engine::Engine;
use streamgate_tokens::Verifier;
use tower::ServiceExt as _;
use utoipa_axum::router::OpenApiRouter;

use crate::caller::browser::BrowserGuard;
use crate::caller::client;
use crate::caller::keys::Keys;
use crate::caller::rate_limit::RateLimits;
use crate::compat::DialectName;
use crate::document::OpenApiVersion;
use crate::observed::Observed;
use crate::problem::ApiError;
use crate::routing::fallback::{method_not_allowed, not_found};
use crate::routing::fast_path::{FastPath, classify};
use crate::routing::layers::{RouteLayers, with_path};
use crate::routing::observe::{Observation, Route};
use crate::settings::{ChangedSetting, PagesSettings, ServerSettings};
use crate::state::{App, Gateway, Node};
use crate::wire::body_turns::BodyTurns;
use crate::{compat, document, ops, site, v1, well_known};

/// Every endpoint of the service, over one engine.
#[derive(Debug, Clone)]
pub struct Endpoints {
    router: Router,
    fast_path: FastPath,
    /// The route of requests that no endpoint takes.
    unmatched: Arc<Route>,
    pub(crate) app: Arc<App>,
}

impl Endpoints {
    /// Answers a request; every error is an answer, too.
    pub fn answer(&self, request: Request) -> impl Future<Output = Response> + Send {
        match classify(&request) {
            Some(call) => self.fast_path.answer(call, request).left_future(),
            None => self.answer_by_router(request).boxed().right_future(),
        }
    }

    /// Answers a request by the router, whatever it is. A hot call gets the same answer as from
    /// [`Self::answer`], later; tests compare the two.
    pub async fn answer_by_router(&self, request: Request) -> Response {
        let answer = self.router.clone().oneshot(request).await;
        answer.unwrap_or_else(|never| match never {})
    }

    /// Answers a request that a gateway handed over whole, and wants the answer whole.
    ///
    /// # Errors
    /// The body of the answer could not be made; the log says why.
    pub async fn answer_for_gateway(
        &self,
        request: axum::http::Request<Vec<u8>>,
        gateway: Gateway,
    ) -> Result<axum::http::Response<Vec<u8>>, axum::Error> {
        let mut request = request.map(Body::from);
        let extensions = request.extensions_mut();
        let peer = gateway.client;
        extensions.insert(gateway);
        let answer = async { self.answer(request).await };
        let answer = client::of_peer(peer, answer).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, body.into()))
    }

    /// Replaces the accepted keys. Requests under way keep the keys that they began with; event
    /// streams of keys that are accepted no longer end.
    pub fn set_keys(&self, keys: Keys) {
        self.app.keys.store(Arc::new(keys));
        self.app.hub.credentials_changed();
    }

    /// Replaces whose viewer tokens are accepted.
    pub fn set_tokens(&self, tokens: Arc<Verifier>) {
        self.app.tokens.store(tokens);
        self.app.hub.credentials_changed();
    }

    /// Replaces what the node says about its settings: those that differ from their defaults.
    pub fn set_changed_settings(&self, changed: Vec<ChangedSetting>) {
        self.app.node.changed_settings.store(Arc::new(changed));
    }

    /// Answers a request with this error, before any endpoint sees it.
    pub(crate) fn refuse(&self, request: &Request, error: ApiError) -> Response {
        let route = &*self.unmatched;
        let observation = Observation::begin(route, request.method(), request.headers());
        observation.end(route, error.into_response())
    }

    /// Ends all event streams in order, and begins no other: the process stops.
    pub(crate) fn end_streams(&self) {
        self.app.hub.close();
    }
}

/// The service: every endpoint over this engine, which `observed` observes.
pub fn app(engine: Arc<Engine>, settings: ServerSettings, observed: Observed) -> Endpoints {
    let Observed {
        metrics,
        hub,
        activity,
    } = observed;
    if let Some(notices) = engine.notices() {
        metrics.watch_notices(Arc::clone(&notices));
        hub.watch_by(notices);
    }
    let layers = RouteLayers::new(&settings, Arc::clone(&metrics));
    let root_is_ours = settings.compat.root.is_none();
    let pages = PagesSettings {
        front: settings.pages.front && root_is_ours,
        ..settings.pages
    };
    let (router, _) = endpoints(Some(&layers), root_is_ours).split_for_parts();
    let body_memory = Arc::new(metrics.body_memory(settings.http.bodies_max_bytes));
    let app = Arc::new(App {
        engine,
        limits: RateLimits::new(settings.rate_limit, &metrics),
        metrics,
        activity,
        hub,
        keys: ArcSwap::from_pointee(settings.keys),
        tokens: ArcSwap::new(settings.tokens.unwrap_or_default()),
        browser_guard: BrowserGuard::new(
            settings.listen.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            settings.cors.allowed_origins,
        ),
        default_tenant: TenantId::default_tenant(),
        trusted_proxies: settings.http.trusted_proxies,
        body_timeout: settings.http.body_timeout,
        body_memory,
        body_turns: BodyTurns::default(),
        metrics_require_key: settings.metrics_require_key,
        compat: settings.compat,
        pages,
        audit: settings.audit,
        node: Node {
            store: settings.node.store,
            changed_settings: ArcSwap::from_pointee(settings.node.changed),
        },
        openapi: openapi_json(None, OpenApiVersion::V3_1).into(),
    });
    v1::introduce(&app);
    let router = router
        .merge(ops::docs::router(&layers))
        .merge(site::router(pages, &layers))
        .fallback_service(layers.around(UNMATCHED, any(not_found)))
        .with_state(Arc::clone(&app));
    Endpoints {
        router: compat::mount(router, &app, &layers),
        unmatched: layers.observed(UNMATCHED),
        fast_path: FastPath::new(&app, &layers),
        app,
    }
}

/// The route of requests that no endpoint takes, in metrics and logs.
const UNMATCHED: &str = "none";

/// The OpenAPI document of the API, or of a dialect, as indented JSON. Every server serves this one
/// as 3.1, whatever its settings.
#[must_use]
pub fn openapi_json(dialect: Option<DialectName>, version: OpenApiVersion) -> String {
    let document = match dialect {
        None => document::of_v1(endpoints(None, true).into_openapi()),
        Some(name) => compat::document(name),
    };
    document::to_json(&document, version)
}

/// Every endpoint of the document, within `layers` if they are to be served. A dialect at the root
/// has its own document.
fn endpoints(layers: Option<&RouteLayers>, root_is_ours: bool) -> OpenApiRouter<Arc<App>> {
    let mut router = OpenApiRouter::default();
    let at_root = root_is_ours.then(ops::root_routes);
    for routes in v1::routes()
        .into_iter()
        .chain(well_known::routes())
        .chain(ops::routes())
        .chain(at_root.into_iter().flatten())
    {
        router = router.routes(match layers {
            Some(layers) => with_path(routes, |path, methods| {
                layers.around(path, methods.fallback(method_not_allowed))
            }),
            None => routes,
        });
    }
    router
}

#[cfg(test)]
pub(crate) mod tests {
    use axum::body::Body;
    use streamgate_clock::ManualClock;
    use streamgate_core::{Policy, Timestamp};
    use streamgate_engine::{EngineSettings, RandomIds};
    use streamgate_store::MemoryStore;

    use super::*;
    use crate::metrics::Metrics;
    use crate::settings::{AllowedOrigins, CorsSettings};

    /// The service over a store in memory.
    pub(crate) fn service(settings: ServerSettings) -> Endpoints {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_242_600_000)));
        let metrics = Arc::new(Metrics::new(Arc::clone(&clock) as _));
        let observed = Observed::new(&settings, metrics);
        let engine = Engine::new(
            Arc::new(MemoryStore::new(clock)),
            Arc::new(Policy::default()),
            Arc::new(RandomIds),
            Arc::new(observed.observers()),
            EngineSettings::default(),
        );
        app(Arc::new(engine), settings, observed)
    }

    /// A service with an empty router, so that the fast path alone can answer.
    fn without_router(allowed_origins: AllowedOrigins) -> Endpoints {
        let cors = CorsSettings {
            allowed_origins,
            max_age: None,
        };
        Endpoints {
            router: Router::new(),
            ..service(ServerSettings {
                cors,
                ..ServerSettings::default()
            })
        }
    }

    /// It is moved several times before it is polled, for each request.
    #[tokio::test]
    async fn the_future_of_an_answer_is_small() {
        let endpoints = service(ServerSettings::default());
        for path in ["/v1/users/u/sessions/s/heartbeat", "/healthz"] {
            let request = Request::post(path).body(Body::empty()).unwrap();
            let bytes = size_of_val(&endpoints.answer(request));
            assert!(bytes <= 512, "{path}: {bytes} bytes");
        }
    }

    #[tokio::test]
    async fn the_fast_path_answers_players_whatever_origins_are_allowed() {
        let page = "https://player.example.com";
        for allowed in [
            AllowedOrigins::None,
            AllowedOrigins::Any,
            AllowedOrigins::List(vec![page.to_owned()]),
        ] {
            let has_cors = allowed != AllowedOrigins::None;
            let endpoints = without_router(allowed);
            for (method, path, status) in [
                ("PUT", "/v1/users/u/sessions/s", 201),
                ("POST", "/v1/users/u/sessions/s/heartbeat", 200),
                ("DELETE", "/v1/users/u/sessions/s", 204),
                ("GET", "/v1/users/u/sessions", 404),
            ] {
                let origin = if has_cors { page } else { "http://localhost" };
                let request = Request::builder()
                    .method(method)
                    .uri(path)
                    .header("host", "localhost")
                    .header("origin", origin);
                let answer = endpoints.answer(request.body(Body::empty()).unwrap()).await;
                assert_eq!(answer.status(), status, "{method} {path}");
                let is_marked = answer.headers().contains_key("access-control-allow-origin");
                assert_eq!(is_marked, has_cors && status != 404, "{method} {path}");
            }
        }
    }
}
