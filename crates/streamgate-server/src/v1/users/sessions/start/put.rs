//! `PUT /v1/users/{user_id}/sessions/{session_id}`: a start with the client's own id; idempotent.

use axum::response::Response;
use streamgate_core::SessionId;
use streamgate_core::admission::Start;

use super::{REFUSED, StartAnswer, StartBody, StartRefused, start};
use crate::caller::access::SessionTarget;
use crate::caller::grant::entitlement;
use crate::caller::keys::Scope;
use crate::problem::{ApiError, FieldErrors};
use crate::problem_docs::{NeedsEntitlement, NeedsRoom};
use crate::routing::session_call::SessionCall;
use crate::state::App;
use crate::telemetry::audit::Action;
use crate::wire::body::JsonBody;
use crate::wire::schema::{SessionParam, UserParam};

/// Start a session with an id of the client's own
///
/// The same as POST, but safe to repeat: if the session is live already, its lease is renewed, and
/// no second slot is taken. An id is one playback's: use one that is new for each. A start that
/// brings another `device_id` than the live session is refused (`session_taken`). The body has no
/// `session_id`. Scope: `player`.
#[utoipa::path(
    put,
    path = "/v1/users/{user_id}/sessions/{session_id}",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    tag = "sessions",
    params(UserParam, SessionParam),
    request_body = Option<StartBody>,
    responses(
        NeedsRoom,
        NeedsEntitlement,
        (status = 201, description = "The session holds a slot.", body = StartAnswer<'_>),
        (status = 200, description = "The session is live already; its lease was renewed, and \
            nothing else of it changed. If the viewer token brings a plan or a limit, they are the \
            user's from now on, as after any start.", body = StartAnswer<'_>),
        (status = 409, description = REFUSED,
            body = StartRefused<'_>, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn start_named_session(
    app: &App,
    call: SessionCall,
) -> Result<Response, ApiError> {
    let target = call.target(app, Scope::Player).await?;
    let SessionTarget {
        user,
        id,
        key,
        viewer,
    } = target;
    let body = app.told(&user, call.json(app).await)?;
    let mut command = command(id, &body)?;
    command.sets = entitlement(viewer.as_ref())?;
    // It would keep the connection's buffer while the store is waited for.
    drop(body);
    let note = || app.note_by_key(Action::TerminateSessions, key, &user);
    start(app, &user, &command, note).await
}

/// The start of this session.
fn command(id: SessionId, body: &JsonBody) -> Result<Start, ApiError> {
    let body = body.parse::<StartBody>()?;
    let mut errors = FieldErrors::default();
    if body.session_id.is_some() {
        errors.add(
            "session_id",
            "stands in the path, and must not be in the body",
        );
    }
    body.check(Some(id), errors)
}
