//! Start: may this user start another stream? Shared by POST and PUT.

pub(crate) mod post;
pub(crate) mod put;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use streamgate_core::admission::{Admitted, Refused, Start, StartOutcome};
use streamgate_core::bounds::TERMINATE_MAX;
use streamgate_core::ids::Name;
use streamgate_core::{SessionId, SessionMetadata, UserKey};
use streamgate_engine::Wall;
use utoipa::ToSchema;

use crate::caller::grant::unknown_plan;
use crate::problem::{ApiError, Code, FieldErrors, Problem};
use crate::state::App;
use crate::telemetry::audit::Note;
use crate::v1::session::Session;
use crate::wire;
use crate::wire::double_option::double_option;
use crate::wire::schema::{
    IntervalSchema, LimitSchema, NameSchema, SessionIdSchema, schema, words,
};
use crate::wire::text_map::TextMap;
use crate::wire::time::Time;

/// What plays, and whose slot it may take. Every member is optional; null counts as left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartBody {
    /// POST only, since it stands in the path of PUT. The name of the new session, unique within
    /// its user; the server makes a UUID of version 7 where there is none. To repeat a start whose
    /// answer was lost, bring one.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = SessionIdSchema, required = false, example = "tv-evening")]
    session_id: Option<Option<String>>,
    /// The device that plays. A session that is live on one device cannot be started on another.
    #[schema(value_type = NameSchema, required = false, example = "tv-7f3a")]
    device_id: Option<String>,
    /// What its owner calls the device.
    #[schema(value_type = NameSchema, required = false, example = "Living room")]
    device_name: Option<String>,
    /// What kind of device it is.
    #[schema(value_type = NameSchema, required = false, example = "tv")]
    device_class: Option<String>,
    /// What is played.
    #[schema(value_type = NameSchema, required = false, example = "film-1917")]
    content_id: Option<String>,
    /// What kind of content it is.
    #[schema(value_type = NameSchema, required = false, example = "film")]
    content_type: Option<String>,
    /// Where it plays, as the caller names regions. Over Redis and DynamoDB it is refused (400)
    /// until the operator has set `store.format = 2`.
    #[schema(value_type = NameSchema, required = false, example = "eu-west")]
    region: Option<String>,
    /// Whatever else the caller wants to see again.
    #[schema(value_type = TextMap, required = false)]
    attributes: Option<TextMap>,
    /// A live session of this user whose slot passes to the new one in the same step: next episode,
    /// cast, reload. One that has expired is not revived any more; any other is ignored.
    #[schema(value_type = SessionIdSchema, required = false)]
    replaces: Option<String>,
    /// Live sessions of this user to end in the same step if, and only if, the start is then
    /// admitted. Those that have expired are not revived any more; any others are ignored.
    #[schema(value_type = Vec<SessionIdSchema>, required = false, max_items = 1000)]
    terminate: Option<Vec<String>>,
}

/// The session holds a slot.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StartAnswer<'a> {
    /// The session as it is now.
    session: Session<'a>,
    /// The user's limit; left out if `degraded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LimitSchema, required = false)]
    limit: Option<u32>,
    /// The number of slots taken, this one among them; left out if `degraded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 2)]
    active: Option<u32>,
    /// When to call next, in seconds from now.
    #[schema(value_type = IntervalSchema)]
    heartbeat_interval_s: u32,
    /// Sessions that the policy ended to make room, oldest first; at most 100.
    #[schema(max_items = 100)]
    evicted: Vec<Session<'a>>,
    /// True if the store could not be used, and the server is set to admit players all the same:
    /// whether a slot was free is not known. A later heartbeat tells. Else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    degraded: bool,
    /// `open`: a player that cannot reach the server at all may play, as `engine.fail_mode` of the
    /// operator lets players in. Else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = FailModeSchema, required = false)]
    fail_mode: Option<&'static str>,
}

schema!(FailModeSchema is "FailMode": words(["open"])
    .description(Some("What a player does while it cannot reach the server.")));

/// The description of a 409, for the document.
const REFUSED: &str = "`limit_reached`: every slot is taken, and `sessions` lists the sessions \
    that hold them. `session_taken`: a session of this id is live on another device. Nothing was \
    changed.";

/// A start that was refused.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(discriminator(
    property_name = "code",
    mapping(
        ("limit_reached" = "#/components/schemas/LimitReached"),
        ("session_taken" = "#/components/schemas/SessionTaken"),
    )
))]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) enum StartRefused<'a> {
    /// Every slot is taken.
    LimitReached(LimitReached<'a>),
    /// The id is that of a session of another device.
    SessionTaken(SessionTaken),
}

/// The id is that of a session that is live on another device: `session_taken`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct SessionTaken {
    #[serde(flatten)]
    problem: Problem,
}

/// Every slot is taken: `limit_reached`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LimitReached<'a> {
    #[serde(flatten)]
    problem: Problem,
    /// The name of the rule that refused the start: `limit` is that of all of the user's sessions
    /// together. Later versions may have further rules.
    #[schema(example = "limit")]
    rule: &'a str,
    /// The user's limit.
    #[schema(value_type = LimitSchema)]
    limit: u32,
    /// The number of slots taken.
    #[schema(example = 3)]
    active: u32,
    /// The conflict: who holds the slots, in the order in which they started; at most 100.
    #[schema(max_items = 100)]
    sessions: Vec<Session<'a>>,
    /// How many sessions hold the slots, also where fewer are listed.
    #[schema(example = 3)]
    sessions_total: u32,
    /// When a start is admitted at the latest, without any further call: a lease is over, or a
    /// session is old enough to be evicted. Left out for a limit of 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_slot_at: Option<Time>,
}

impl StartBody {
    /// The command, once everything is within its bounds. `id` is the id of the new session, if it
    /// is valid.
    fn check(self, id: Option<SessionId>, mut errors: FieldErrors) -> Result<Start, ApiError> {
        let mut name = |field, text: Option<String>| {
            text.and_then(|text| errors.check(field, Name::new(text)))
        };
        let mut metadata = SessionMetadata {
            device_id: name("device_id", self.device_id),
            device_name: name("device_name", self.device_name),
            device_class: name("device_class", self.device_class),
            content_id: name("content_id", self.content_id),
            content_type: name("content_type", self.content_type),
            region: name("region", self.region),
            ..SessionMetadata::default()
        };
        if let Some(attributes) = self.attributes {
            metadata.attributes = attributes
                .check("attributes", &mut errors)
                .unwrap_or_default();
        }
        let replaces = self
            .replaces
            .and_then(|text| other("replaces", &text, id.as_ref(), &mut errors));
        let terminate = self.terminate.unwrap_or_default();
        if terminate.len() > TERMINATE_MAX {
            let len = terminate.len();
            errors.add(
                "terminate",
                format!("must have at most {TERMINATE_MAX} entries, has {len}"),
            );
        }
        let terminate = (0..)
            .zip(&terminate)
            .filter_map(|(index, text): (usize, _)| {
                other(
                    &format!("terminate[{index}]"),
                    text,
                    id.as_ref(),
                    &mut errors,
                )
            })
            .collect();
        errors.finish()?;
        Ok(Start {
            id: id.expect("no error means an id"),
            metadata: (!metadata.is_empty()).then(|| Arc::new(metadata)),
            lease: None,
            replaces,
            terminate,
            sets: None,
        })
    }
}

/// The id of a session that the new one ends; so it must be another.
fn other(
    field: &str,
    text: &str,
    new: Option<&SessionId>,
    errors: &mut FieldErrors,
) -> Option<SessionId> {
    let id = errors.check(field, SessionId::new(text))?;
    if Some(&id) == new {
        errors.add(field, "must not be the session that is to start");
        return None;
    }
    Some(id)
}

/// Asks the engine: 201 for a new session, 200 for one that is live already, 409 for a
/// refusal, and for an id that is another device's.
///
/// `note` is the line that the call has in the audit log if it ends sessions by their names.
async fn start(
    app: &App,
    user: &UserKey,
    start: &Start,
    note: impl FnOnce() -> Note,
) -> Result<Response, ApiError> {
    if start.terminate.is_empty() {
        return run(app, user, start).await;
    }
    let mut note = note();
    note.set_sessions(start.terminate.len());
    let answer = Box::pin(run(app, user, start)).await;
    match &answer {
        // The session was live already: none has ended for it.
        Ok(answer) if answer.status() == StatusCode::OK => note.discard(),
        _ => return note.close(answer),
    }
    answer
}

/// Runs the command, and answers with its outcome.
async fn run(app: &App, user: &UserKey, start: &Start) -> Result<Response, ApiError> {
    let answered = app.engine.start(user, start).await?;
    let answer =
        |status, admitted: &Admitted| answer(app, user, status, admitted, answered.is_degraded);
    Ok(match &answered.outcome {
        StartOutcome::Admitted(admitted) => answer(StatusCode::CREATED, admitted),
        StartOutcome::AlreadyLive(admitted) => answer(StatusCode::OK, admitted),
        StartOutcome::Refused(refused) => limit_reached(user, refused, app.engine.wall()),
        StartOutcome::Taken => return Err(session_taken()),
        StartOutcome::UnknownPlan(_) => return Err(unknown_plan()),
    })
}

/// The answer to a start with the id of a live session of another device.
fn session_taken() -> ApiError {
    ApiError::new(
        Code::SessionTaken,
        "a session of this id is live on another device; use an id that is new for each playback",
    )
}

/// The answer to a session that holds a slot, or is let play without one.
fn answer(
    app: &App,
    user: &UserKey,
    status: StatusCode,
    admitted: &Admitted,
    degraded: bool,
) -> Response {
    let (user_id, wall) = (user.user(), app.engine.wall());
    let answer = StartAnswer {
        session: Session::new(user_id, &admitted.session, wall),
        limit: (!degraded).then_some(admitted.limit),
        active: (!degraded).then_some(admitted.active),
        heartbeat_interval_s: app.engine.policy().heartbeat_interval.0,
        evicted: Session::list(user_id, &admitted.evicted, wall),
        degraded,
        fail_mode: app.engine.fails_open().then_some("open"),
    };
    wire::json(status, &answer)
}

/// The refusal: the limit, the sessions that hold the slots, and when one is free at the latest.
fn limit_reached(user: &UserKey, refused: &Refused, wall: Wall) -> Response {
    let (limit, active) = (refused.limit, refused.active);
    // Not a text for viewers: players make those from the numbers, in the viewer's language.
    let detail = match limit {
        0 => "the user may not watch: its limit is 0".to_owned(),
        1 => format!("the user may have 1 session at a time, and has {active}"),
        _ => format!("the user may have {limit} sessions at a time, and has {active}"),
    };
    let refusal = LimitReached {
        problem: Problem::new(Code::LimitReached, detail),
        rule: &refused.rule,
        limit,
        active,
        sessions: Session::list(user.user(), &refused.conflict, wall),
        sessions_total: active,
        next_slot_at: refused.next_slot_at.map(|at| Time::at(at, wall)),
    };
    wire::problem(StatusCode::CONFLICT, &refusal)
}
