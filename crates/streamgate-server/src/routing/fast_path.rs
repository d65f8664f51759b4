//! The calls that players make all the time, past the router.
//!
//! A router that knows every path costs such a call as much as its decision does, so start,
//! heartbeat and stop are told by their paths alone and go to their endpoints straight. What they
//! do is the same, and so is what is observed; a test asks both ways and compares. Whatever is not
//! exactly such a call goes through the router, which knows what to say.
//!
//! What is *not* here: an endpoint of its own, or any word of an answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse as _, Response};

use crate::caller::access::SessionPath;
use crate::metrics::HttpRoute;
use crate::problem::ApiError;
use crate::routing::observe::Observation;
use crate::state::App;
use crate::v1::sessions_of_user::{renew, start_named, stop};
use crate::wire::body::{IgnoredBody, JsonBody};
use crate::wire::path::segments;

/// The way past the router.
#[derive(Debug, Clone)]
pub(crate) struct FastPath {
    app: Arc<App>,
    session: Arc<HttpRoute>,
    heartbeat: Arc<HttpRoute>,
}

/// A call that goes past the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// `PUT` of a session.
    Start,
    /// `POST` to its `heartbeat`.
    Heartbeat,
    /// `DELETE` of a session.
    Stop,
}

impl Call {
    /// Which call this is; `None` for all that is the router's.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let is_heartbeat = is_of_session(request.uri())?;
        match *request.method() {
            Method::POST if is_heartbeat => Some(Self::Heartbeat),
            Method::PUT if !is_heartbeat => Some(Self::Start),
            Method::DELETE if !is_heartbeat => Some(Self::Stop),
            _ => None,
        }
    }
}

/// The templates of the paths, as the router has them.
const SESSION: &str = "/v1/users/{user_id}/sessions/{session_id}";
const HEARTBEAT: &str = "/v1/users/{user_id}/sessions/{session_id}/heartbeat";

impl FastPath {
    /// To the endpoints over `app`, counted as the router counts them.
    pub(crate) fn new(app: &Arc<App>) -> Self {
        let route = |template| Arc::new(app.metrics.http_route(template));
        Self {
            app: Arc::clone(app),
            session: route(SESSION),
            heartbeat: route(HEARTBEAT),
        }
    }

    /// Answers it.
    pub(crate) async fn answer(&self, call: Call, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let observation = Observation::begin(&parts.method, &parts.headers);
        let answer = match self.run(call, parts, body).await {
            Ok(answer) => answer,
            Err(error) => error.into_response(),
        };
        let route = match call {
            Call::Heartbeat => &self.heartbeat,
            Call::Start | Call::Stop => &self.session,
        };
        observation.end(route, answer)
    }

    /// Does what the endpoint's extractors do, in their order, and then what it does.
    async fn run(&self, call: Call, parts: Parts, body: Body) -> Result<Response, ApiError> {
        let app = &*self.app;
        let target = SessionPath::of(&parts, app)?;
        // Nothing of the request is kept while the store is waited for: its bytes are the
        // connection's buffer, which would be made anew.
        match call {
            Call::Start => {
                let body = JsonBody::read(&parts.headers, body, app).await?;
                drop(parts);
                start_named(app, target, body).await
            }
            Call::Heartbeat => {
                drop(parts);
                let answer = renew(app, target).await;
                IgnoredBody::from(body).discard(app, answer).await
            }
            Call::Stop => {
                drop((parts, body));
                stop(app, target).await
            }
        }
    }
}

/// Whether the path is that of a session's heartbeat, or the session itself; `None` where it is
/// neither. The router says what is wrong with an empty id.
fn is_of_session(uri: &Uri) -> Option<bool> {
    let path = uri.path().strip_prefix("/v1/users/")?;
    let mut segments = segments(path);
    let mut next = || segments.next().filter(|segment| !segment.is_empty());
    let (_user, sessions, _session) = (next()?, next()?, next()?);
    if sessions != "sessions" {
        return None;
    }
    match (segments.next(), segments.next()) {
        (None, _) => Some(false),
        (Some("heartbeat"), None) => Some(true),
        _ => None,
    }
}
