//! Start: may this user start another stream?

use std::borrow::Cow;
use std::sync::Arc;

use crate::admission::{Command, Draft, SetUser};
use crate::bounds::{LEASE_MAX_S, LEASE_MIN_S, SESSIONS_LISTED_MAX, TERMINATE_MAX};
use crate::event::Event;
use crate::ids::{Name, SessionId};
use crate::metadata::SessionMetadata;
use crate::policy::{AtLimit, Policy, Rule};
use crate::session::{EndReason, Held, Session};
use crate::time::{Seconds, Timestamp};

/// A session asks for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its name. A start whose session is live already takes no second slot.
    pub id: SessionId,
    /// What plays.
    pub metadata: Option<Arc<SessionMetadata>>,
    /// How long each call holds the slot; the policy's lease where it is `None`.
    pub lease: Option<Seconds>,
    /// A live session whose slot passes to this one in the same step; one that has expired cannot
    /// be revived any more, any other is ignored.
    pub replaces: Option<SessionId>,
    /// Sessions to end in the same step if, and only if, the start is then admitted; those that
    /// have expired cannot be revived any more, any others are ignored. At most [`TERMINATE_MAX`].
    pub terminate: Vec<SessionId>,
    /// Plan and limit from the viewer's token (entitlement), set in the same step: before the rules
    /// are asked, also where they then refuse the start.
    pub sets: Option<Box<SetUser>>,
}

/// The answer to a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartOutcome {
    /// The session took a slot.
    Admitted(Admitted),
    /// The session holds a slot already; its lease was renewed. Nothing else changed but what the
    /// start sets about the user.
    AlreadyLive(Admitted),
    /// No slot is free. Nothing was changed but what the start sets about the user; and where a
    /// session of this name was live above a lowered limit, it has ended, as by a heartbeat.
    Refused(Refused),
    /// A session of this name is live on another device. Nothing was changed.
    Taken,
    /// The start sets a plan that the policy does not have. Nothing was changed.
    UnknownPlan(Name),
}

/// A session that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The session as it is now.
    pub session: Session,
    /// The user's limit.
    pub limit: u32,
    /// The number of slots taken, this one among them.
    pub active: u32,
    /// Sessions that the policy ended to make room, oldest first; at most [`SESSIONS_LISTED_MAX`].
    pub evicted: Vec<Session>,
}

/// Why a start was refused: the rule, and the sessions that it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The name of the rule.
    pub rule: Cow<'static, str>,
    /// The limit of the rule.
    pub limit: u32,
    /// The number of live sessions that the rule counts.
    pub active: u32,
    /// The conflict: these sessions, in the order in which they started; at most
    /// [`SESSIONS_LISTED_MAX`].
    pub conflict: Vec<Session>,
    /// When a start is admitted at the latest, without further calls; `None` for a limit of 0.
    pub next_slot_at: Option<Timestamp>,
}

impl Start {
    /// A start with nothing but a name.
    #[must_use]
    pub fn new(id: SessionId) -> Self {
        Self {
            id,
            metadata: None,
            lease: None,
            replaces: None,
            terminate: Vec::new(),
            sets: None,
        }
    }

    /// Whether a session of this name would be ended by this start, and why.
    fn ends(&self, id: &SessionId) -> bool {
        self.replaces.as_ref() == Some(id) || self.terminate.contains(id)
    }

    /// What the boundary checks, believed no further than this.
    fn assert_bounded(&self) {
        assert!(
            self.terminate.len() <= TERMINATE_MAX,
            "the boundary bounds `terminate`"
        );
        assert!(
            !self.ends(&self.id),
            "the boundary refuses a start that ends itself"
        );
        assert!(
            self.lease
                .is_none_or(|lease| (LEASE_MIN_S..=LEASE_MAX_S).contains(&lease.0)),
            "the boundary bounds leases"
        );
    }

    /// The sessions that end so that this one has a slot; the first rule that leaves it none
    /// otherwise.
    fn room(&self, draft: &Draft<'_>) -> Result<Room, Rule> {
        let live = &draft.ledger().live;
        let (leaving, mut staying): (Vec<&Session>, Vec<&Session>) =
            live.iter().partition(|session| self.ends(&session.id));
        let mut evicted = Vec::new();
        for rule in draft.rules(self.metadata.as_deref()) {
            let Some(ended) = evicted_by(&rule, &staying, draft) else {
                return Err(rule);
            };
            if !ended.is_empty() {
                staying.retain(|session| ended.iter().all(|other| other.id != session.id));
                evicted.extend(ended);
            }
        }
        let ids = |sessions: &[&Session]| sessions.iter().map(|s| s.id.clone()).collect();
        let listed = evicted.iter().take(SESSIONS_LISTED_MAX).copied().cloned();
        Ok(Room {
            leaving: ids(&leaving),
            evicted: ids(&evicted),
            listed: listed.collect(),
        })
    }

    /// Ends the sessions that give way, and those that the policy takes.
    fn make_room(&self, draft: &mut Draft<'_>, room: &Room) {
        for id in &room.leaving {
            draft.end(id, EndReason::Terminated, Some(&self.id));
        }
        for id in &room.evicted {
            draft.end(id, EndReason::Evicted, Some(&self.id));
        }
        for id in self.replaces.iter().chain(&self.terminate) {
            // One that expired a moment ago would come back with its next heartbeat, else.
            draft.make_final(id, EndReason::Terminated, Some(&self.id));
        }
    }

    /// The session as it begins.
    fn session(&self, draft: &Draft<'_>) -> Session {
        let now = draft.now();
        let lease = self.lease.unwrap_or(draft.policy().lease);
        let latest = draft.ledger().live.last();
        Session {
            id: self.id.clone(),
            // Sessions are listed in the order of their starts, even if a clock went backwards.
            started_at: latest.map_or(now, |latest| now.max(latest.started_at)),
            last_seen_at: now,
            expires_at: draft.policy().lease_end(now, lease),
            lease,
            metadata: self.metadata.clone(),
        }
    }

    /// Whether a session was started on another device.
    #[must_use]
    pub fn differs_in_device(&self, session: &Session) -> bool {
        let (theirs, ours) = (session.metadata.as_deref(), self.metadata.as_deref());
        SessionMetadata::differ_in_device(theirs, ours)
    }

    /// Decides on a start whose session is live at `place`. `None` where it was above the limit and
    /// has ended for that, so that it starts as any other.
    fn of_live(&self, draft: &mut Draft<'_>, place: usize, limit: u32) -> Option<StartOutcome> {
        if draft.end_above_limit(place) {
            return None;
        }
        renew(draft, place);
        Some(StartOutcome::AlreadyLive(Admitted {
            session: draft.ledger().live[place].clone(),
            limit,
            active: draft.active(),
            evicted: Vec::new(),
        }))
    }
}

impl Command for Start {
    type Outcome = StartOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> StartOutcome {
        self.assert_bounded();
        let mut place = draft.ledger().place_of(&self.id);
        if place.is_some_and(|place| self.differs_in_device(&draft.ledger().live[place])) {
            return StartOutcome::Taken;
        }
        if let Some(sets) = &self.sets {
            if let Err(plan) = sets.apply(draft) {
                return StartOutcome::UnknownPlan(plan);
            }
            // A user that is blocked has lost its sessions.
            place = draft.ledger().place_of(&self.id);
        }
        let limit = draft.limit().limit;
        if let Some(place) = place
            && let Some(outcome) = self.of_live(draft, place, limit)
        {
            return outcome;
        }
        let room = match self.room(draft) {
            Ok(room) => room,
            Err(rule) => return StartOutcome::Refused(refusal(draft, rule)),
        };
        self.make_room(draft, &room);
        let session = self.session(draft);
        draft.record(Event::Started(session.clone()));
        let active = draft.active();
        assert!(
            active <= limit,
            "no start leaves more live sessions than the limit"
        );
        StartOutcome::Admitted(Admitted {
            session,
            limit,
            active,
            evicted: room.listed,
        })
    }

    /// The session is live, since the very moment of the first run: one that was live before has
    /// another beginning, and the first run, decided on an older ledger, was none. If it is not
    /// live, then either it never was, or it has ended since; in both cases the caller must hear
    /// that it holds no slot. A refusal that changed something ended the session that it names, and
    /// the second run found it ended.
    fn confirms(first: &StartOutcome, second: &StartOutcome) -> bool {
        match (first, second) {
            (StartOutcome::Admitted(first), StartOutcome::AlreadyLive(second)) => {
                first.session.started_at == second.session.started_at
            }
            (StartOutcome::Refused(_), StartOutcome::Refused(_)) => true,
            _ => false,
        }
    }
}

/// The sessions that leave so that a start has a slot.
struct Room {
    /// Those that the start names.
    leaving: Vec<SessionId>,
    /// Those that the policy takes.
    evicted: Vec<SessionId>,
    /// The first of these as they were.
    listed: Vec<Session>,
}

/// The session after a call of its player at `now`: held for one lease from now, neither more nor
/// less, whatever the clock showed before.
pub(crate) fn renewed(held: Held, policy: &Policy, now: Timestamp) -> Held {
    Held {
        last_seen_at: now,
        expires_at: policy.lease_end(now, held.lease),
        ..held
    }
}

/// Renews the lease of the live session at `place`, unless it was recorded so lately that it lasts
/// for this call as well; returns how the session is held then.
pub(crate) fn renew(draft: &mut Draft<'_>, place: usize) -> Held {
    let (policy, now) = (draft.policy(), draft.now());
    let session = &draft.ledger().live[place];
    let held = session.held();
    let lasts_until = now.plus(held.lease).plus(policy.clock_skew);
    let is_recent =
        now.millis_since(held.last_seen_at) < policy.heartbeat_write_interval.as_millis();
    if is_recent && held.expires_at >= lasts_until {
        return held;
    }
    let id = session.id.clone();
    let held = renewed(held, policy, now);
    draft.record(Event::Renewed {
        id,
        last_seen_at: held.last_seen_at,
        expires_at: held.expires_at,
    });
    held
}

/// The sessions among `staying` that a rule evicts so that one more can start, oldest first; `None`
/// where the rule refuses the start.
fn evicted_by<'a>(
    rule: &Rule,
    staying: &[&'a Session],
    draft: &Draft<'_>,
) -> Option<Vec<&'a Session>> {
    let counted = || {
        let covers = |session: &&&Session| rule.scope.covers(session.metadata.as_deref());
        staying.iter().filter(covers).copied()
    };
    let limit = usize::try_from(rule.limit).expect("a limit is at most 1,000");
    let surplus = (counted().count() + 1).saturating_sub(limit);
    if surplus == 0 {
        return Some(Vec::new());
    }
    if rule.at_limit == AtLimit::DenyNew || limit == 0 {
        return None;
    }
    let (policy, now) = (draft.policy(), draft.now());
    let is_old = |session: &&Session| policy.evictable_from(session.started_at, now) <= now;
    let evicted: Vec<&Session> = counted().filter(is_old).take(surplus).collect();
    (evicted.len() == surplus).then_some(evicted)
}

/// The refusal by a rule.
fn refusal(draft: &Draft<'_>, rule: Rule) -> Refused {
    let counted = || {
        let covers = |session: &&Session| rule.scope.covers(session.metadata.as_deref());
        draft.ledger().live.iter().filter(covers)
    };
    let held = counted().map(|s| (s.started_at, s.expires_at));
    Refused {
        limit: rule.limit,
        active: draft.active_under(&rule),
        conflict: counted().take(SESSIONS_LISTED_MAX).cloned().collect(),
        next_slot_at: next_slot_at(held, &rule, draft.policy(), draft.now()),
        rule: rule.name,
    }
}

/// When a start is admitted at the latest, without further calls: as soon as fewer than `limit` of
/// the live sessions of the rule are left that neither have ended nor may be evicted. `live` says
/// of each when it started and when its lease is over. `None` where a start is admitted now, and
/// for a limit of 0.
pub(crate) fn next_slot_at(
    live: impl Iterator<Item = (Timestamp, Timestamp)>,
    rule: &Rule,
    policy: &Policy,
    now: Timestamp,
) -> Option<Timestamp> {
    if rule.limit == 0 {
        return None;
    }
    let gives_way_at = live.map(|(started_at, expires_at)| match rule.at_limit {
        AtLimit::DenyNew => expires_at,
        AtLimit::EvictOldest => expires_at.min(policy.evictable_from(started_at, now)),
    });
    let mut ends: Vec<Timestamp> = gives_way_at.collect();
    let limit = usize::try_from(rule.limit).expect("a limit is at most 1,000");
    let last = ends.len().checked_sub(limit)?;
    let (_, end, _) = ends.select_nth_unstable(last);
    Some(*end).filter(|end| *end > now)
}
