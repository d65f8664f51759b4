//! Events of streams as callers see them, and all of them for the OpenAPI document.

use std::collections::BTreeMap;

use serde::Serialize;
use streamgate_core::admission::Refused;
use streamgate_core::ids::Name;
use streamgate_core::{self as core, Attributes, Ending};
use streamgate_engine::Wall;
use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, RefOr};

use super::session::{AttributesMap, IdText, Session};
use super::users::sessions::heartbeat::{HeartbeatAnswer, SessionEnded};
use super::users::sessions::list::UserSessions;
use crate::push::ByeEvent;
use crate::wire::schema::{
    EndReasonSchema, LimitSchema, NameSchema, SessionIdSchema, UserIdSchema, schema, words,
};
use crate::wire::text_map::TextMap;
use crate::wire::time::Time;

/// The events of all streams. A stream has no schema of its own in OpenAPI 3.1, so no operation
/// refers to these: `x-streamgate-events` of its answer names the schema of each event.
#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(
    StreamOpened, ByeEvent, Ended<'_>, Gap, HeartbeatAnswer<'_>, Session<'_>, SessionEnded<'_>,
    RefusedEvent<'_>, Started<'_>, UserSessions<'_>, UserSet<'_>
)))]
struct Events;

/// The schemas of all events, by their names.
pub(crate) fn event_schemas() -> BTreeMap<String, RefOr<Schema>> {
    let events: OpenApi = <Events as utoipa::OpenApi>::openapi();
    events.components.unwrap_or_default().schemas
}

schema!(StreamScopeSchema is "StreamScope": words(["all", "node"])
    .description(Some("Whether a stream tells what happens on all nodes, or on its own.")));

/// `stream`: what the stream of a tenant tells.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamEvent)]
pub(crate) struct StreamOpened {
    /// What happens on which nodes.
    #[schema(value_type = StreamScopeSchema)]
    pub(crate) scope: &'static str,
}

/// `started`, `revived`: a session holds a slot.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StartedEvent)]
pub(crate) struct Started<'a> {
    /// The session.
    session: Session<'a>,
    /// True if the session had expired before; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    revived: bool,
}

/// `ended`: a session holds no slot any more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndedEvent)]
pub(crate) struct Ended<'a> {
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    /// The session.
    #[schema(value_type = SessionIdSchema)]
    session_id: IdText<'a>,
    /// Why it ended.
    #[schema(value_type = EndReasonSchema)]
    reason: &'static str,
    /// When it ended.
    ended_at: Time,
    /// The session that took the slot; only if this one was `evicted` or `terminated`, and not if
    /// it was above a limit that was lowered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SessionIdSchema, required = false)]
    taken_by: Option<IdText<'a>>,
    /// The session as it was. Left out where the server does not have it: of very many sessions
    /// that end at once on another node, and where a notice of another node was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Session<'a>, required = false)]
    session: Option<Session<'a>>,
}

/// `refused`: a start was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedEvent<'a> {
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    /// The rule that refused it: `limit`, or one that a later version adds.
    #[schema(example = "limit")]
    rule: &'a str,
    /// The user's limit.
    #[schema(value_type = LimitSchema)]
    limit: u32,
    /// The number of slots taken.
    active: u32,
    /// Who holds the slots: at most 10 of them, oldest first.
    sessions: Vec<Session<'a>>,
    /// How many there are.
    sessions_total: u32,
    /// When the next slot is free, if no player calls again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_slot_at: Option<Time>,
}

/// `user_set`: plan, limit and profile of a user are these now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserSetEvent)]
pub(crate) struct UserSet<'a> {
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    /// Its plan; null if it has none.
    #[schema(value_type = Option<NameSchema>, required)]
    plan: Option<&'a str>,
    /// Its own limit; null if it has none.
    #[schema(value_type = Option<LimitSchema>, required)]
    limit: Option<u32>,
    /// Its profile.
    #[schema(value_type = TextMap)]
    profile: AttributesMap<'a>,
    /// True if the user was erased; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

/// `gap`: events are missing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GapEvent)]
pub(crate) struct Gap {
    /// How many; null if unknown.
    #[schema(required)]
    pub(crate) missed: Option<u64>,
}

impl<'a> Started<'a> {
    pub(crate) fn new(
        user: &'a str,
        session: &'a core::Session,
        revived: bool,
        wall: Wall,
    ) -> Self {
        Self {
            session: Session::new(user, session, wall),
            revived,
        }
    }
}

impl<'a> Ended<'a> {
    pub(crate) fn new(user_id: &'a str, end: &'a Ending, wall: Wall) -> Self {
        Self {
            user_id,
            session_id: IdText(&end.id),
            reason: end.reason.as_str(),
            ended_at: Time::at(end.ended_at, wall),
            taken_by: end.taken_by.as_ref().map(IdText),
            session: (end.session.as_deref()).map(|session| Session::new(user_id, session, wall)),
        }
    }
}

impl<'a> RefusedEvent<'a> {
    pub(crate) fn new(user_id: &'a str, refused: &'a Refused, wall: Wall) -> Self {
        Self {
            user_id,
            rule: &refused.rule,
            limit: refused.limit,
            active: refused.active,
            sessions: Session::list(user_id, &refused.conflict, wall),
            sessions_total: refused.active,
            next_slot_at: refused.next_slot_at.map(|at| Time::at(at, wall)),
        }
    }
}

impl<'a> UserSet<'a> {
    pub(crate) fn new(
        user_id: &'a str,
        plan: Option<&'a Name>,
        limit: Option<u32>,
        profile: &'a Attributes,
    ) -> Self {
        Self {
            user_id,
            plan: plan.map(Name::as_str),
            limit,
            profile: AttributesMap(profile),
            erased: false,
        }
    }

    /// Of a user that was erased; `none` is an empty profile.
    pub(crate) fn erased(user_id: &'a str, none: &'a Attributes) -> Self {
        Self {
            erased: true,
            ..Self::new(user_id, None, None, none)
        }
    }
}
