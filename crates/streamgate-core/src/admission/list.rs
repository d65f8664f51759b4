//! Looking at a ledger without changing it.

use crate::admission::settle::{cut_lease, graced_until};
use crate::admission::start::next_slot_at;
use crate::facts::Attributes;
use crate::ids::Name;
use crate::ledger::Ledger;
use crate::policy::{LimitSource, Policy};
use crate::session::Session;
use crate::time::{Moment, Timestamp};

/// Who is watching now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionsView {
    /// The user's limit.
    pub limit: u32,
    /// The live sessions, in the order in which they started.
    pub sessions: Vec<Session>,
    /// When the next slot is free at the latest; `None` where one is free now, and for limit 0.
    pub next_slot_at: Option<Timestamp>,
}

/// A user as callers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// The user's plan.
    pub plan: Option<Name>,
    /// The limit that applies.
    pub limit: u32,
    /// Where that limit comes from.
    pub limit_source: LimitSource,
    /// The user's profile.
    pub profile: Attributes,
    /// The number of slots taken.
    pub active: u32,
}

/// Who of this user is watching at `now`.
#[must_use]
pub fn sessions_of(ledger: &Ledger, policy: &Policy, now: impl Into<Moment>) -> SessionsView {
    let now = now.into();
    let limit = policy.limit_of(ledger).limit;
    // A list must say what a refusal would, also after a stall, or after a clock was set back.
    let mut sessions: Vec<Session> = ledger
        .live
        .iter()
        .filter(|session| holds_slot(session, policy, now))
        .cloned()
        .collect();
    for session in &mut sessions {
        if let Some(until) = graced_until(session, policy, now) {
            session.expires_at = until;
        }
        if let Some((last_seen_at, expires_at)) = cut_lease(session, policy, now.time) {
            session.last_seen_at = last_seen_at;
            session.expires_at = expires_at;
        }
    }
    let next_slot_at = next_slot_at(&sessions, limit);
    SessionsView {
        limit,
        sessions,
        next_slot_at,
    }
}

/// The user with this ledger at `now`.
#[must_use]
pub fn user_of(ledger: &Ledger, policy: &Policy, now: impl Into<Moment>) -> UserView {
    let now = now.into();
    let holders = ledger
        .live
        .iter()
        .filter(|session| holds_slot(session, policy, now));
    let active = u32::try_from(holders.count()).expect("bounded by LIVE_MAX");
    let rule = policy.limit_of(ledger);
    UserView {
        plan: ledger.plan.clone(),
        limit: rule.limit,
        limit_source: rule.source,
        profile: ledger.profile.clone(),
        active,
    }
}

fn holds_slot(session: &Session, policy: &Policy, now: Moment) -> bool {
    let expires_at = graced_until(session, policy, now).unwrap_or(session.expires_at);
    now.time < expires_at
}
