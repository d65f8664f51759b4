//! Start: may this user start another stream?

use crate::admission::{Command, Draft};
use crate::bounds::{LEASE_MAX_S, LEASE_MIN_S, TERMINATE_MAX};
use crate::event::Event;
use crate::facts::Facts;
use crate::ids::SessionId;
use crate::policy::{AtLimit, Policy};
use crate::session::{EndReason, Session};
use crate::time::{Seconds, Timestamp};

/// A session asks for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its name. A start whose session is live already takes no second slot.
    pub id: SessionId,
    /// What plays.
    pub facts: Option<Box<Facts>>,
    /// How long each call holds the slot; the policy's lease where it is `None`.
    pub lease: Option<Seconds>,
    /// A live session whose slot passes to this one in the same step; one that has expired cannot
    /// be revived any more, any other is ignored.
    pub replaces: Option<SessionId>,
    /// Sessions to end in the same step if, and only if, the start is then admitted; those that
    /// have expired cannot be revived any more, any others are ignored. At most [`TERMINATE_MAX`].
    pub terminate: Vec<SessionId>,
}

/// The answer to a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartOutcome {
    /// The session took a slot.
    Admitted(Admitted),
    /// The session holds a slot already; its lease was renewed and nothing else changed.
    AlreadyLive(Admitted),
    /// No slot is free. Nothing was changed.
    Refused(Refused),
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
    /// Sessions that the policy ended to make room, oldest first.
    pub evicted: Vec<Session>,
}

/// Why a start was refused: the limit, and who holds the slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The user's limit.
    pub limit: u32,
    /// The conflict: the live sessions, in the order in which they started.
    pub conflict: Vec<Session>,
    /// When a slot is free at the latest if nobody calls again; `None` for a limit of 0.
    pub next_slot_at: Option<Timestamp>,
}

impl Start {
    /// A start with nothing but a name.
    #[must_use]
    pub fn new(id: SessionId) -> Self {
        Self {
            id,
            facts: None,
            lease: None,
            replaces: None,
            terminate: Vec::new(),
        }
    }

    /// Whether a session of this name would be ended by this start, and why.
    fn gives_way(&self, id: &SessionId) -> bool {
        self.replaces.as_ref() == Some(id) || self.terminate.contains(id)
    }

    /// What the boundary checks, believed no further than this.
    fn assert_bounded(&self) {
        assert!(
            self.terminate.len() <= TERMINATE_MAX,
            "the boundary bounds `terminate`"
        );
        assert!(
            !self.gives_way(&self.id),
            "the boundary refuses a start that ends itself"
        );
        assert!(
            self.lease
                .is_none_or(|lease| (LEASE_MIN_S..=LEASE_MAX_S).contains(&lease.0)),
            "the boundary bounds leases"
        );
    }

    /// Ends the sessions that give way, and those that the policy takes.
    fn make_room(&self, draft: &mut Draft<'_>, leaving: &[Session], evicted: &[Session]) {
        for session in leaving {
            draft.end(&session.id, EndReason::Terminated, Some(&self.id));
        }
        for session in evicted {
            draft.end(&session.id, EndReason::Evicted, Some(&self.id));
        }
        for id in self.replaces.iter().chain(&self.terminate) {
            // One that expired a moment ago would come back with its next heartbeat, else.
            draft.seal(id, EndReason::Terminated, Some(&self.id));
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
            facts: self.facts.clone(),
        }
    }

    fn already_live(draft: &mut Draft<'_>, session: Session) -> StartOutcome {
        StartOutcome::AlreadyLive(Admitted {
            session: renew(draft, session),
            limit: draft.limit().limit,
            active: draft.active(),
            evicted: Vec::new(),
        })
    }
}

impl Command for Start {
    type Outcome = StartOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> StartOutcome {
        self.assert_bounded();
        if let Some(session) = draft.ledger().find(&self.id).cloned() {
            return Self::already_live(draft, session);
        }
        let rule = draft.limit();
        let (leaving, staying): (Vec<Session>, Vec<Session>) = draft
            .ledger()
            .live
            .iter()
            .cloned()
            .partition(|session| self.gives_way(&session.id));
        let limit = usize::try_from(rule.limit).expect("a limit is at most 1,000");
        let surplus = (staying.len() + 1).saturating_sub(limit);
        let evicted = match rule.at_limit {
            _ if surplus == 0 => &[],
            AtLimit::EvictOldest if limit > 0 => &staying[..surplus],
            AtLimit::EvictOldest | AtLimit::DenyNew => {
                return StartOutcome::Refused(refusal(draft, rule.limit));
            }
        };
        self.make_room(draft, &leaving, evicted);
        let session = self.session(draft);
        draft.record(Event::Started(session.clone()));
        let active = draft.active();
        assert!(
            active <= rule.limit,
            "no start leaves more live sessions than the limit"
        );
        StartOutcome::Admitted(Admitted {
            session,
            limit: rule.limit,
            active,
            evicted: evicted.to_vec(),
        })
    }

    /// The session is live, since the very moment of the first run: one that was live before has
    /// another beginning, and the first run, decided on an older ledger, was none. If it is not
    /// live, then either it never was, or it has ended since; in both cases the caller must hear
    /// that it holds no slot.
    fn was_done(first: &StartOutcome, second: &StartOutcome) -> bool {
        match (first, second) {
            (StartOutcome::Admitted(first), StartOutcome::AlreadyLive(second)) => {
                first.session.started_at == second.session.started_at
            }
            _ => false,
        }
    }
}

/// The session after a call of its player at `now`: held for one lease from now, neither more nor
/// less, whatever the clock showed before.
pub(crate) fn renewed(session: Session, policy: &Policy, now: Timestamp) -> Session {
    Session {
        last_seen_at: now,
        expires_at: policy.lease_end(now, session.lease),
        ..session
    }
}

/// Renews the lease of a live session, unless it was recorded so lately that it lasts for this call
/// as well; returns the session as it is then.
pub(crate) fn renew(draft: &mut Draft<'_>, session: Session) -> Session {
    let (policy, now) = (draft.policy(), draft.now());
    let lasts_until = now.plus(session.lease).plus(policy.clock_skew);
    let is_recent = now.millis_since(session.last_seen_at) < policy.laziness.as_millis();
    if is_recent && session.expires_at >= lasts_until {
        return session;
    }
    let session = renewed(session, policy, now);
    draft.record(Event::Renewed {
        id: session.id.clone(),
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
    });
    session
}

fn refusal(draft: &Draft<'_>, limit: u32) -> Refused {
    let conflict = draft.ledger().live.clone();
    let next_slot_at = next_slot_at(&conflict, limit);
    Refused {
        limit,
        conflict,
        next_slot_at,
    }
}

/// When a slot is free at the latest if nobody calls again: as soon as fewer than `limit` of the
/// live sessions are left. `None` where a slot is free now, and for a limit of 0.
pub(crate) fn next_slot_at(live: &[Session], limit: u32) -> Option<Timestamp> {
    let limit = usize::try_from(limit).expect("a limit is at most 1,000");
    let must_end = (live.len() + 1)
        .checked_sub(limit)
        .filter(|n| *n > 0 && limit > 0)?;
    let mut ends: Vec<Timestamp> = live.iter().map(|session| session.expires_at).collect();
    ends.sort_unstable();
    Some(ends[must_end - 1])
}
