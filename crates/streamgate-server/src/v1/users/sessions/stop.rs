//! `DELETE /v1/users/{user_id}/sessions/{session_id}`, and the same as `POST …/stop` for pages
//! that are being closed: `navigator.sendBeacon` can only POST, with a body it chooses itself.

use axum::response::Response;
use streamgate_core::EndReason;
use streamgate_core::admission::{Stop, StopOutcome};

use super::session_unknown;
use crate::caller::access::SessionTarget;
use crate::caller::keys::Scope;
use crate::problem::ApiError;
use crate::problem_docs::SessionUnknown;
use crate::routing::session_call::SessionCall;
use crate::state::App;
use crate::telemetry::audit::Action;
use crate::wire;
use crate::wire::schema::{SessionParam, UserParam};

/// Stop a session
///
/// Its slot is free at once. Idempotent: 204 also for a session that has ended already, however it
/// ended. Scope: `player`.
#[utoipa::path(
    delete,
    path = "/v1/users/{user_id}/sessions/{session_id}",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    tag = "sessions",
    params(UserParam, SessionParam),
    responses(
        (status = 204, description = "The session holds no slot."),
        SessionUnknown,
    )
)]
pub(crate) async fn stop_session(app: &App, call: SessionCall) -> Result<Response, ApiError> {
    let target = call.target(app, Scope::Player).await?;
    drop(call);
    stop(app, target).await
}

/// Stop a session by beacon
///
/// The same as DELETE on the session, for `navigator.sendBeacon`, which can only POST. Any body of
/// any content type and any length is accepted and ignored. A beacon cannot carry a header: where
/// the server asks for a key, a page that is closing sends DELETE by `fetch` with `keepalive`
/// instead. Scope: `player`.
#[utoipa::path(
    post,
    path = "/v1/users/{user_id}/sessions/{session_id}/stop",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    tag = "sessions",
    params(UserParam, SessionParam),
    responses(
        (status = 204, description = "The session holds no slot."),
        SessionUnknown,
    )
)]
pub(crate) async fn stop_session_by_post(
    app: &App,
    call: SessionCall,
) -> Result<Response, ApiError> {
    let target = call.target(app, Scope::Player).await?;
    let body = call.ignored_body();
    let answer = stop(app, target).await;
    body.discard(app, answer).await
}

/// Ends the session for its player. One that ended otherwise stays as it ended.
async fn stop(app: &App, target: SessionTarget) -> Result<Response, ApiError> {
    let stop = Stop {
        id: target.id,
        reason: EndReason::Stopped,
    };
    let key = target.key.filter(|key| key.is_above_player());
    let note = app.note_by_key(Action::StopSession, key, &target.user);
    match app.engine.stop(&target.user, &stop).await {
        Ok(StopOutcome::Stopped) => note.close(Ok(wire::no_content())),
        Ok(StopOutcome::AlreadyEnded(_)) => {
            note.discard();
            Ok(wire::no_content())
        }
        Ok(StopOutcome::Unknown) => {
            note.discard();
            Err(session_unknown())
        }
        Err(error) => note.close(Err(error.into())),
    }
}
