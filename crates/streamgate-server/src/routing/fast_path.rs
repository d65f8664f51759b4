//! The fast path: start, heartbeat and stop, the calls that players make all the time, go to their
//! handlers without the router.
//!
//! A router that knows every path costs such a call as much as its decision does. So these three
//! are classified by method and path alone. The router has the same handlers, and a test compares
//! the answers of both, with CORS and without. Every other request goes through the router.
//!
//! What is *not* here: handlers, which are those of the router.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::cors::CorsLayer;

use crate::problem::ApiError;
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
    ///
    /// The handler is boxed: as a part of the futures around it, its kilobytes would be copied once
    /// for each of them.
    pub(crate) fn answer(
        &self,
        call: HotCall,
        request: Request,
    ) -> impl Future<Output = Response> + Send {
        let route = match call.handler {
            Handler::Heartbeat => &self.heartbeat,
            Handler::Start | Handler::Stop => &self.session,
        };
        let observation = Observation::begin(&route.observed, request.method(), request.headers());
        let handled = match &route.cors {
            None => self.handle(call, request),
            Some(cors) => self.handle_within(cors, call, request).boxed(),
        };
        let handled = match observation.trace() {
            None => handled,
            Some(trace) => telemetry::within(trace, handled).boxed(),
        };
        async move { observation.end(&route.observed, handled.await) }
    }

    /// Runs the handler within the CORS layer of its route.
    async fn handle_within(&self, cors: &CorsLayer, call: HotCall, request: Request) -> Response {
        let mut call = Some(call);
        let handler = service_fn(|request| {
            let call = call.take().expect("a layer calls its service once");
            self.handle(call, request).map(Ok::<_, Infallible>)
        });
        let answer = cors.layer(handler).oneshot(request).await;
        answer.unwrap_or_else(|never| match never {})
    }

    fn handle(&self, call: HotCall, request: Request) -> BoxFuture<'_, Response> {
        let (app, session_call) = (&*self.app, SessionCall::new(request, call.segments));
        match call.handler {
            Handler::Heartbeat => heartbeat(app, session_call).map(response).boxed(),
            Handler::Start => start_named_session(app, session_call).map(response).boxed(),
            Handler::Stop => stop_session(app, session_call).map(response).boxed(),
        }
    }
}

/// The response of a handler.
fn response(answer: Result<Response, ApiError>) -> Response {
    answer.unwrap_or_else(ApiError::into_response)
}
