//! A call about one session: `/v1/users/{user_id}/sessions/{session_id}` and the paths below it.
//!
//! The handlers of these calls have one shape, `async fn(&App, SessionCall) -> Result<Response,
//! ApiError>`. The fast path and the router run the same function, so they cannot differ.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;

use crate::caller::access::{SessionTarget, authorize_session};
use crate::caller::keys::Scope;
use crate::caller::tokens::once_keys_are_there;
use crate::problem::ApiError;
use crate::routing::fallback::not_found;
use crate::state::App;
use crate::wire::body::{IgnoredBody, JsonBody};

/// What stands before the ids in the path of a session, and between them.
const USERS: &str = "/v1/users/";
const SESSIONS: &str = "/sessions/";

/// Where the ids stand in the path of a session, in bytes, as they were sent.
#[derive(Debug, Clone)]
pub(crate) struct SessionSegments {
    user: Range<usize>,
    session: Range<usize>,
}

impl SessionSegments {
    /// Splits a path once: the ids, and the rest of the path behind them. `None` if this is not the
    /// path of a session.
    pub(crate) fn split(path: &str) -> Option<(Self, &str)> {
        let behind_user = path.strip_prefix(USERS)?;
        let user_len = memchr::memchr(b'/', behind_user.as_bytes())?;
        let behind_session = behind_user[user_len..].strip_prefix(SESSIONS)?;
        let session_len =
            memchr::memchr(b'/', behind_session.as_bytes()).unwrap_or(behind_session.len());
        let user = USERS.len()..USERS.len() + user_len;
        let begin = user.end + SESSIONS.len();
        let session = begin..begin + session_len;
        let rest = &behind_session[session_len..];
        Some((Self { user, session }, rest))
    }

    /// Whether an id is missing.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.user.is_empty() || self.session.is_empty()
    }

    /// The ids in the path that was split: the user's, and the session's.
    pub(crate) fn of<'a>(&self, path: &'a str) -> (&'a str, &'a str) {
        (&path[self.user.clone()], &path[self.session.clone()])
    }
}

/// A request about one session.
#[derive(Debug)]
pub(crate) struct SessionCall {
    parts: Parts,
    segments: SessionSegments,
    body: Body,
}

impl SessionCall {
    /// The request whose path has these segments.
    pub(crate) fn new(request: Request, segments: SessionSegments) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            parts,
            segments,
            body,
        }
    }

    /// The session, once the caller is known, has this scope and is within its rate.
    ///
    /// # Errors
    /// 401, 403, 429 or 503 about the caller; 400 `invalid_request` about the ids in the path.
    pub(crate) fn target<'a>(
        &'a self,
        app: &'a App,
        needed: Scope,
    ) -> impl Future<Output = Result<SessionTarget, ApiError>> + use<'a> {
        // Without the body, which threads do not share.
        let (parts, segments) = (&self.parts, &self.segments);
        once_keys_are_there(move || {
            let ids = segments.of(parts.uri.path());
            authorize_session(app, parts, ids, needed)
        })
    }

    /// Reads the body. Nothing else of the request is kept, because the head is a part of the
    /// connection's buffer: while it is held, the connection needs another one.
    ///
    /// # Errors
    /// A body that is too long, too slow or not sent as JSON.
    pub(crate) fn json<'a>(
        self,
        app: &'a App,
    ) -> impl Future<Output = Result<JsonBody, ApiError>> + use<'a> {
        <JsonBody>::read(&self.parts.headers, self.body, app)
    }

    /// The body, whose content does not matter. Nothing else of the request is kept, as above.
    pub(crate) fn ignored_body(self) -> IgnoredBody {
        self.body.into()
    }
}

/// The router's way to such a call; its templates are those of the handlers.
impl FromRequest<Arc<App>> for SessionCall {
    type Rejection = ApiError;

    async fn from_request(request: Request, _app: &Arc<App>) -> Result<Self, ApiError> {
        match SessionSegments::split(request.uri().path()) {
            Some((segments, _)) => Ok(Self::new(request, segments)),
            None => Err(not_found().await),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_session_is_split_into_its_ids_and_the_rest() {
        for (path, ids) in [
            ("/v1/users/u/sessions/s", Some(("u", "s", ""))),
            ("/v1/users/u/sessions/s/stop", Some(("u", "s", "/stop"))),
            ("/v1/users/u/sessions/s/", Some(("u", "s", "/"))),
            ("/v1/users/u/sessions/", Some(("u", "", ""))),
            ("/v1/users//sessions/s//", Some(("", "s", "//"))),
            ("/v1/users/a%2Fb/sessions/%20", Some(("a%2Fb", "%20", ""))),
            ("/v1/users/u/sessions", None),
            ("/v1/users/u/Sessions/s", None),
            ("/v1/users/u", None),
            ("/v1/users/", None),
            ("/v2/users/u/sessions/s", None),
            ("v1/users/u/sessions/s", None),
            ("", None),
        ] {
            let split = SessionSegments::split(path).map(|(segments, rest)| {
                let (user, session) = segments.of(path);
                (user, session, rest)
            });
            assert_eq!(split, ids, "{path}");
        }
    }
}
