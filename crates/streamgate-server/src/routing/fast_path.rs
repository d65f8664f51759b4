//! The fast path: start, heartbeat and stop, the calls that players make all the time, go to their
//! handlers without the router.
//!
//! A router that knows every path costs such a call as much as its decision does. So these three
//! are classified by method and path alone. The router has the same handlers, and a test compares
//! the answers of both, with CORS and without. Every other request goes through the router.
//!
//! What is *not* here: handlers, which are those of the router.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::cors::CorsLayer;

use crate::routing::layers::RouteLayers;
use crate::routing::observe::{Observation, Route};
use crate::routing::session_call::{SessionCall, SessionSegments};
use crate::state::App;
use crate::telemetry;
use crate::v1::session_calls::{heartbeat, start_named_session, stop_session};

/// The handlers of the hot calls, with the layers that the router has around them.
#[derive(Debug, Clone)]
pub(crate) struct FastPath {
    app: Arc<App>,
    session: HotRoute,
    heartbeat: HotRoute,
}

/// The layers around the handlers of one path.
#[derive(Debug, Clone)]
struct HotRoute {
    observed: Arc<Route>,
    cors: Option<CorsLayer>,
}

/// A call that the fast path answers.
#[derive(Debug)]
pub(crate) struct HotCall {
    handler: Handler,
    segments: SessionSegments,
}

#[derive(Debug, Clone, Copy)]
enum Handler {
    Start,
    Heartbeat,
    Stop,
}

/// The templates of the paths, as the router has them.
const SESSION: &str = "/v1/users/{user_id}/sessions/{session_id}";
const HEARTBEAT: &str = "/v1/users/{user_id}/sessions/{session_id}/heartbeat";

/// Which hot call a request is, if it is one. The router answers paths with an empty id.
pub(crate) fn classify(request: &Request) -> Option<HotCall> {
    let (segments, rest) = SessionSegments::split(request.uri().path())?;
    if segments.is_incomplete() {
        return None;
    }
    let handler = match (request.method(), rest) {
        (&Method::POST, "/heartbeat") => Handler::Heartbeat,
        (&Method::PUT, "") => Handler::Start,
        (&Method::DELETE, "") => Handler::Stop,
        _ => return None,
    };
    Some(HotCall { handler, segments })
}

impl FastPath {
    /// To the handlers over `app`, within the same layers as in the router.
    pub(crate) fn new(app: &Arc<App>, layers: &RouteLayers) -> Self {
        let route = |template| HotRoute {
            observed: layers.observed(template),
            cors: layers.cors(template),
        };
        Self {
            app: Arc::clone(app),
            session: route(SESSION),
            heartbeat: route(HEARTBEAT),
        }
    }

    /// Answers a request that was classified.
    pub(crate) async fn answer(&self, call: HotCall, request: Request) -> Response {
        let route = match call.handler {
            Handler::Heartbeat => &self.heartbeat,
            Handler::Start | Handler::Stop => &self.session,
        };
        let observation = Observation::begin(&route.observed, request.method(), request.headers());
        let answer = match (&route.cors, observation.trace()) {
            (None, None) => self.run(call, request).await,
            (Some(cors), None) => Box::pin(self.run_within(cors, call, request)).await,
            (cors, Some(trace)) => {
                let run = async {
                    match cors {
                        None => self.run(call, request).await,
                        Some(cors) => self.run_within(cors, call, request).await,
                    }
                };
                Box::pin(telemetry::within(trace, run)).await
            }
        };
        observation.end(&route.observed, answer)
    }

    /// Runs the handler within the CORS layer of its route.
    async fn run_within(&self, cors: &CorsLayer, call: HotCall, request: Request) -> Response {
        let mut call = Some(call);
        let handler = service_fn(|request| {
            let call = call.take().expect("a layer calls its service once");
            async { Ok::<_, Infallible>(self.run(call, request).await) }
        });
        let answer = cors.layer(handler).oneshot(request).await;
        answer.unwrap_or_else(|never| match never {})
    }

    async fn run(&self, call: HotCall, request: Request) -> Response {
        let app = &*self.app;
        let session_call = SessionCall::new(request, call.segments);
        let answer = match call.handler {
            Handler::Heartbeat => heartbeat(app, session_call).await,
            // Boxed, because a heartbeat would move their kilobytes as well.
            Handler::Start => Box::pin(start_named_session(app, session_call)).await,
            Handler::Stop => Box::pin(stop_session(app, session_call)).await,
        };
        answer.unwrap_or_else(|error| error.into_response())
    }
}
