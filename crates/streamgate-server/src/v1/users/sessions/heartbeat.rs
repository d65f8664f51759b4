//! `POST /v1/users/{user_id}/sessions/{session_id}/heartbeat`: a player is still there.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use streamgate_core::admission::{Heartbeat, HeartbeatOutcome};
use streamgate_core::{EndReason, Ending, Held, SessionId};
use streamgate_engine::Wall;
use utoipa::ToSchema;

use super::session_unknown;
use crate::caller::access::SessionTarget;
use crate::caller::keys::Scope;
use crate::problem::{ApiError, Code, Problem};
use crate::problem_docs::SessionUnknown;
use crate::routing::session_call::SessionCall;
use crate::state::App;
use crate::v1::session::IdText;
use crate::wire;
use crate::wire::schema::{
    EndReasonSchema, IntervalSchema, LimitSchema, SessionIdSchema, SessionParam, UserParam,
};
use crate::wire::time::Time;

/// The lease was renewed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeartbeatAnswer<'a> {
    /// The session.
    #[schema(value_type = SessionIdSchema)]
    session_id: IdText<'a>,
    /// When the slot is free if the player does not call again.
    expires_at: Time,
    /// When to call next, in seconds from now.
    #[schema(value_type = IntervalSchema)]
    heartbeat_interval_s: u32,
    /// The user's limit; left out if `degraded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LimitSchema, required = false)]
    limit: Option<u32>,
    /// The number of slots taken; left out if `degraded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 2)]
    active: Option<u32>,
    /// True if the session held no slot before this call and holds one now: its lease had run out,
    /// or its start was `degraded`. Else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    revived: bool,
    /// True if the store could not be used and the server is set to let players go on all the same.
    /// Else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    degraded: bool,
}

/// The session has ended: `session_ended`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionEnded<'a> {
    #[serde(flatten)]
    problem: Problem,
    /// Why it ended.
    #[schema(value_type = EndReasonSchema)]
    reason: &'static str,
    /// When it ended.
    ended_at: Time,
    /// The session that took the slot; only if this one was `evicted` or `terminated`, and not if
    /// it was above a limit that was lowered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SessionIdSchema)]
    taken_by: Option<IdText<'a>>,
}

/// Renew the lease of a session
///
/// A heartbeat that comes after the lease has run out, but within the revive window, starts the
/// session again if a slot is free (`revived`). Any body is accepted and ignored. Scope: `player`.
#[utoipa::path(
    post,
    path = "/v1/users/{user_id}/sessions/{session_id}/heartbeat",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    tag = "sessions",
    params(UserParam, SessionParam),
    responses(
        (status = 200, description = "The session holds its slot.", body = HeartbeatAnswer<'_>),
        SessionUnknown,
        (status = 410,
            description = "`session_ended`: the session has ended, and `reason` says why.",
            body = SessionEnded<'_>, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn heartbeat(app: &App, call: SessionCall) -> Result<Response, ApiError> {
    let target = call.target(app, Scope::Player).await?;
    let body = call.ignored_body();
    let answer = renew(app, target).await;
    body.discard(app, answer).await
}

/// Renews the lease of the session.
async fn renew(app: &App, target: SessionTarget) -> Result<Response, ApiError> {
    let heartbeat = Heartbeat { id: target.id };
    let answered = app.engine.heartbeat(&target.user, &heartbeat).await?;
    let is_revived = matches!(answered.outcome, HeartbeatOutcome::Revived(_));
    match answered.outcome {
        HeartbeatOutcome::Renewed(alive) | HeartbeatOutcome::Revived(alive) => {
            let seats = (!answered.is_degraded).then_some((alive.limit, alive.active));
            let (id, held) = (&heartbeat.id, &alive.session);
            let answer = HeartbeatAnswer::new(app, id, held, seats, is_revived);
            Ok(wire::json(StatusCode::OK, &answer))
        }
        HeartbeatOutcome::Ended(ending) => Ok(session_ended(app, &ending)),
        HeartbeatOutcome::Unknown => Err(session_unknown()),
    }
}

impl<'a> HeartbeatAnswer<'a> {
    /// The session is held so. `seats` are the user's limit and the number of slots taken; `None`
    /// if the store could not be used.
    pub(crate) fn new(
        app: &App,
        id: &'a SessionId,
        held: &Held,
        seats: Option<(u32, u32)>,
        revived: bool,
    ) -> Self {
        Self {
            session_id: IdText(id),
            expires_at: Time::at(held.expires_at, app.engine.wall()),
            heartbeat_interval_s: app.engine.policy().heartbeat_interval.0,
            limit: seats.map(|(limit, _)| limit),
            active: seats.map(|(_, active)| active),
            revived,
            degraded: seats.is_none(),
        }
    }
}

impl<'a> SessionEnded<'a> {
    /// The session ended so.
    pub(crate) fn new(ending: &'a Ending, wall: Wall) -> Self {
        Self {
            problem: Problem::new(Code::SessionEnded, sentence(ending)),
            reason: ending.reason.as_str(),
            ended_at: Time::at(ending.ended_at, wall),
            taken_by: ending.taken_by.as_ref().map(IdText),
        }
    }

    /// The same, without a check for a free slot.
    pub(crate) fn told(ending: &'a Ending, wall: Wall) -> Self {
        let mut ended = Self::new(ending, wall);
        if ending.reason == EndReason::Expired {
            let detail =
                "the session's lease ran out; a heartbeat starts it again if a slot is free";
            ended.problem = Problem::new(Code::SessionEnded, detail);
        }
        ended
    }
}

/// The answer about a session that holds no slot any more.
pub(crate) fn session_ended(app: &App, ending: &Ending) -> Response {
    let ended = SessionEnded::new(ending, app.engine.wall());
    wire::problem(StatusCode::GONE, &ended)
}

/// Why a session ended, for people.
fn sentence(ending: &Ending) -> &'static str {
    match ending.reason {
        EndReason::Stopped => "the session was stopped by its player",
        EndReason::Expired => "the session's lease ran out, and no slot is free to start it again",
        EndReason::Evicted if ending.taken_by.is_none() => {
            "the user's limit was lowered, and the session was above it"
        }
        EndReason::Evicted => "a newer session of the user took the slot",
        EndReason::Terminated => "the slot was given to another session of the user",
        EndReason::Revoked => "the session was ended by an operator",
    }
}
