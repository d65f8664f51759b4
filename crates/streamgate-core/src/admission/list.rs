//! Looking at a ledger without changing it.

use crate::admission::settle::{clamp_future_lease, graced_until};
use crate::admission::start::next_slot_at;
use crate::bounds::PAGE_SIZE_DEFAULT;
use crate::ids::{Name, SessionId};
use crate::ledger::Ledger;
use crate::metadata::Attributes;
use crate::policy::{LimitSource, Policy};
use crate::session::Session;
use crate::time::{Moment, Timestamp};

/// Who is watching now: a page of the live sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionsView {
    /// The user's limit.
    pub limit: u32,
    /// The number of slots taken; all sessions count, on this page or not.
    pub active: u32,
    /// The sessions of this page, in the order in which they started.
    pub sessions: Vec<Session>,
    /// Where the next page begins, where more follow.
    pub next: Option<Place>,
    /// When a start is admitted at the latest; `None` where one would be now, and for limit 0.
    pub next_slot_at: Option<Timestamp>,
}

impl Default for SessionsQuery {
    /// The first page, of the usual size.
    fn default() -> Self {
        Self {
            after: None,
            size: PAGE_SIZE_DEFAULT,
        }
    }
}

/// A place in the list of a user's live sessions. It stays good when sessions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The place is behind sessions that started at this time.
    pub started_at: Timestamp,
    /// Of them, only those whose ids are not beyond this one are in front of it; all where it is
    /// `None`.
    pub id: Option<SessionId>,
}

/// Which page of a list of sessions is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionsQuery {
    /// Where the page begins; `None` for the first one.
    pub after: Option<Place>,
    /// Most sessions of the page, at least 1. It may have fewer although more follow.
    pub size: usize,
}

/// A live session and what it plays: for lists that say no more, and of which no page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watching {
    /// The session.
    pub id: SessionId,
    /// What is played.
    pub content_id: Option<Name>,
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

/// A page of the sessions of this user that are live at `now`.
#[must_use]
pub fn sessions_of(
    ledger: &Ledger,
    policy: &Policy,
    now: impl Into<Moment>,
    query: &SessionsQuery,
) -> SessionsView {
    let now = now.into();
    let rule = policy.limit_of(ledger);
    let live: Vec<&Session> = holders(ledger, policy, now).collect();
    // A list must say what a refusal would, also after a stall, or after a clock was set back.
    let held = live.iter().map(|session| {
        let (_, expires_at) = lease_of(session, policy, now);
        (session.started_at, expires_at)
    });
    let next_slot_at = next_slot_at(held, &rule, policy, now.time);
    let (page, next) = page_of(&live, query);
    let sessions = page.into_iter().map(|session| {
        let (last_seen_at, expires_at) = lease_of(session, policy, now);
        Session {
            last_seen_at,
            expires_at,
            ..session.clone()
        }
    });
    SessionsView {
        limit: rule.limit,
        active: u32::try_from(live.len()).expect("bounded by LIVE_MAX"),
        sessions: sessions.collect(),
        next,
        next_slot_at,
    }
}

/// The sessions of a page, and where the next one begins.
///
/// A ledger knows which of the sessions that started in one millisecond came first; a place does
/// not, once they have ended. So they stand on one page. Where they are more than a page holds,
/// they are listed in the order of their ids.
fn page_of<'a>(live: &[&'a Session], query: &SessionsQuery) -> (Vec<&'a Session>, Option<Place>) {
    let (mut page, mut behind) = (Vec::new(), None);
    for together in live.chunk_by(|one, other| one.started_at == other.started_at) {
        let started_at = together[0].started_at;
        let mut listed = together.to_vec();
        let mut by_id = listed.len() > query.size;
        match &query.after {
            Some(after) if started_at < after.started_at => continue,
            Some(after) if started_at == after.started_at => {
                let Some(given) = &after.id else { continue };
                listed.retain(|session| session.id > *given);
                by_id = true;
            }
            _ => {}
        }
        if by_id {
            listed.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        }
        let room = query.size - page.len();
        if listed.len() > room && page.is_empty() {
            listed.truncate(room);
            let id = listed.last().map(|last| last.id.clone());
            return (listed, Some(Place { started_at, id }));
        }
        if listed.len() > room {
            return (page, behind);
        }
        page.append(&mut listed);
        behind = Some(Place {
            started_at,
            id: None,
        });
    }
    (page, None)
}

/// What each session of this user that is live at `now` plays, in the order in which they started.
#[must_use]
pub fn watching_of(ledger: &Ledger, policy: &Policy, now: impl Into<Moment>) -> Vec<Watching> {
    let watching = holders(ledger, policy, now.into()).map(|session| {
        let metadata = session.metadata.as_ref();
        Watching {
            id: session.id.clone(),
            content_id: metadata.and_then(|metadata| metadata.content_id.clone()),
        }
    });
    watching.collect()
}

/// The user with this ledger at `now`.
#[must_use]
pub fn user_of(ledger: &Ledger, policy: &Policy, now: impl Into<Moment>) -> UserView {
    let now = now.into();
    let holders = holders(ledger, policy, now);
    let active = u32::try_from(holders.count()).expect("bounded by LIVE_MAX");
    UserView {
        plan: ledger.plan.clone(),
        limit: policy.limit_of(ledger).limit,
        limit_source: policy.limit_source(ledger),
        profile: ledger.profile.clone(),
        active,
    }
}

/// [`user_of`] and [`watching_of`].
#[must_use]
pub fn user_and_sessions_of(
    ledger: &Ledger,
    policy: &Policy,
    now: impl Into<Moment>,
) -> (UserView, Vec<Watching>) {
    let now = now.into();
    let user = user_of(ledger, policy, now);
    (user, watching_of(ledger, policy, now))
}

/// The sessions that hold a slot, in the order in which they started.
fn holders<'a>(
    ledger: &'a Ledger,
    policy: &'a Policy,
    now: Moment,
) -> impl Iterator<Item = &'a Session> {
    let holds_slot = move |session: &&Session| now.time < lease_of(session, policy, now).1;
    ledger.live.iter().filter(holds_slot)
}

/// When the session was last seen and when its lease is over, as a decision would find it: with the
/// grace after a stall, or cut where a clock granted it that ran ahead.
fn lease_of(session: &Session, policy: &Policy, now: Moment) -> (Timestamp, Timestamp) {
    let graced = graced_until(session, policy, now);
    let graced = graced.map(|until| (session.last_seen_at, until));
    graced
        .or_else(|| clamp_future_lease(session, policy, now.time))
        .unwrap_or((session.last_seen_at, session.expires_at))
}
