//! Events of streams as callers see them.

use serde::Serialize;
use streamgate_core::admission::Refused;
use streamgate_core::ids::Name;
use streamgate_core::{self as core, Attributes, End};
use streamgate_engine::Wall;

use super::session::{AttributesMap, IdText, Session};
use crate::wire::time::Time;

/// `started`, `revived`: a session holds a slot.
#[derive(Debug, Serialize)]
pub(crate) struct Started<'a> {
    session: Session<'a>,
    /// True if the session had expired before; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    revived: bool,
}

/// `ended`: a session holds no slot any more.
#[derive(Debug, Serialize)]
pub(crate) struct Ended<'a> {
    user_id: &'a str,
    session_id: IdText<'a>,
    reason: &'static str,
    ended_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_by: Option<IdText<'a>>,
}

/// `refused`: a start was refused.
#[derive(Debug, Serialize)]
pub(crate) struct StartRefused<'a> {
    user_id: &'a str,
    rule: &'a str,
    limit: u32,
    active: u32,
    sessions: Vec<Session<'a>>,
    sessions_total: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_slot_at: Option<Time>,
}

/// `user_set`: plan, limit and profile of a user are these now.
#[derive(Debug, Serialize)]
pub(crate) struct UserSet<'a> {
    user_id: &'a str,
    plan: Option<&'a str>,
    limit: Option<u32>,
    profile: AttributesMap<'a>,
    /// True if the user was erased; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

/// `gap`: events are missing.
#[derive(Debug, Serialize)]
pub(crate) struct Gap {
    /// How many; null if nobody knows.
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
    pub(crate) fn new(user_id: &'a str, end: &'a End, wall: Wall) -> Self {
        Self {
            user_id,
            session_id: IdText(&end.id),
            reason: end.reason.as_str(),
            ended_at: Time::at(end.ended_at, wall),
            taken_by: end.taken_by.as_ref().map(IdText),
        }
    }
}

impl<'a> StartRefused<'a> {
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
