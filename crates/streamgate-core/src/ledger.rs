//! The ledger: all that is stored of one user.
//!
//! A ledger changes only by [`Ledger::apply`]ing events, so the ledger after a decision and the
//! ledger rebuilt from a log of events are the same by construction. The count of sessions is
//! derived from the live ones; there is no counter beside them that could drift.

use crate::bounds::{IMPOSED_ENDINGS_MAX, LIVE_MAX, REVIVABLE_ENDINGS_MAX, STOPPED_ENDINGS_MAX};
use crate::event::Event;
use crate::ids::{Name, SessionId};
use crate::metadata::Attributes;
use crate::session::{EndReason, Ending, Session};
use crate::time::{Seconds, Timestamp};

/// All that is stored of one user. [`Default`] is the ledger of a user never seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// The user's own limit; it goes before the plan's.
    pub limit: Option<u32>,
    /// The name of the user's plan.
    pub plan: Option<Name>,
    /// What the platform keeps about the user; no decision reads it.
    pub profile: Attributes,
    /// Sessions that hold a slot, in the order in which they started. One whose lease is over
    /// holds none any more, whether it has been taken out of this list yet or not.
    pub live: Vec<Session>,
    /// Sessions that ended lately, in the order in which they were found to have ended.
    pub ended: Vec<Ending>,
}

impl Ledger {
    /// The sessions that hold a slot at `now`, in the order in which they started.
    pub fn live_at(&self, now: Timestamp) -> impl Iterator<Item = &Session> {
        self.live.iter().filter(move |session| session.is_live(now))
    }

    /// The number of slots taken at `now`.
    #[must_use]
    pub fn active_at(&self, now: Timestamp) -> u32 {
        u32::try_from(self.live_at(now).count()).expect("bounded by LIVE_MAX")
    }

    /// The session with this name that has not been taken out of the ledger.
    #[must_use]
    pub fn find(&self, id: &SessionId) -> Option<&Session> {
        self.live.iter().find(|session| session.id == *id)
    }

    /// Where the session with this name stands among the live ones that have not been taken out of
    /// the ledger.
    #[must_use]
    pub fn place_of(&self, id: &SessionId) -> Option<usize> {
        self.live.iter().position(|session| session.id == *id)
    }

    /// How the session with this name ended, if it is remembered.
    #[must_use]
    pub fn ending_of(&self, id: &SessionId) -> Option<&Ending> {
        self.ended.iter().find(|ending| ending.id == *id)
    }

    /// Whether nothing at all is kept, so that the record can go.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.limit.is_none()
            && self.plan.is_none()
            && self.profile.is_empty()
            && self.live.is_empty()
            && self.ended.is_empty()
    }

    /// Whether the user exists for a caller: it has a limit, plan, profile or live session, or had
    /// a session lately. What an erased user leaves behind (`Revoked` endings, so that its players
    /// learn what happened) does not count.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.limit.is_some()
            || self.plan.is_some()
            || !self.profile.is_empty()
            || !self.live.is_empty()
            || self
                .ended
                .iter()
                .any(|ending| ending.reason != EndReason::Revoked)
    }

    /// From when on the ledger is as good as an empty one: every lease is over, and every ending is
    /// older than the revive window. `None` where a limit, plan or profile stays, or nothing is
    /// kept.
    #[must_use]
    pub fn garbage_at(&self, revive_window: Seconds) -> Option<Timestamp> {
        if self.limit.is_some() || self.plan.is_some() || !self.profile.is_empty() {
            return None;
        }
        let live = self.live.iter().map(|session| session.expires_at);
        let ended = self.ended.iter().map(|ending| ending.ended_at);
        Some(live.chain(ended).max()?.plus(revive_window))
    }

    /// Whether this event, made at some time before, did not happen to this ledger, because what it
    /// would have left is there with another time or another reason. `false` proves nothing: what
    /// it left may be forgotten, or have been undone since. Expiries are never contradicted: a late
    /// heartbeat or a stop may have changed what they left.
    #[must_use]
    pub fn contradicts(&self, event: &Event) -> bool {
        match event {
            Event::Started(session) | Event::Revived(session) => self
                .find(&session.id)
                .is_some_and(|live| live.started_at != session.started_at),
            Event::Ended(end) if end.reason == EndReason::Expired => false,
            Event::Renewed { .. } | Event::UserErased | Event::Forgotten { .. } => false,
            Event::Ended(end) | Event::MadeFinal(end) => {
                self.ending_of(&end.id).is_some_and(|ending| {
                    let left = (ending.ended_at, ending.reason, &ending.taken_by);
                    left != (end.ended_at, end.reason, &end.taken_by)
                })
            }
            Event::UserSet {
                limit,
                plan,
                profile,
            } => (self.limit, &self.plan, &self.profile) != (*limit, plan, profile),
        }
    }

    /// Changes the ledger by one event. The only way in which a ledger changes.
    ///
    /// Events of a session that the ledger does not have change nothing, so replaying is safe.
    /// Returns the live session that [`Event::Ended`] ends, as it was.
    pub fn apply(&mut self, event: &Event) -> Option<Session> {
        match event {
            Event::Started(session) | Event::Revived(session) => self.enter(session.clone()),
            Event::Renewed {
                id,
                last_seen_at,
                expires_at,
            } => {
                if let Some(session) = self.live.iter_mut().find(|session| session.id == *id) {
                    session.last_seen_at = *last_seen_at;
                    session.expires_at = *expires_at;
                }
            }
            Event::Ended(end) => return self.leave(end),
            Event::MadeFinal(end) => self.make_final(end),
            Event::UserSet {
                limit,
                plan,
                profile,
            } => {
                self.limit = *limit;
                self.plan.clone_from(plan);
                self.profile.clone_from(profile);
            }
            Event::UserErased => {
                self.limit = None;
                self.plan = None;
                self.profile = Attributes::default();
                self.ended
                    .retain(|ending| ending.reason == EndReason::Revoked);
            }
            Event::Forgotten { before } => {
                self.ended.retain(|ending| ending.ended_at > *before);
            }
        }
        None
    }

    /// Puts a session among the live ones, behind those that started no later.
    fn enter(&mut self, session: Session) {
        self.live.retain(|other| other.id != session.id);
        self.ended.retain(|ending| ending.id != session.id);
        let behind = self
            .live
            .partition_point(|other| other.started_at <= session.started_at);
        self.live.insert(behind, session);
    }

    /// Moves a session from the live ones to the endings.
    fn leave(&mut self, end: &Ending) -> Option<Session> {
        let session = self.live.remove(self.place_of(&end.id)?);
        let revivable = (end.reason == EndReason::Expired).then(|| Box::new(session.clone()));
        self.remember(end, revivable);
        Some(session)
    }

    /// Makes an ending that could be revived a final one.
    fn make_final(&mut self, end: &Ending) {
        let revivable = |ending: &Ending| ending.id == end.id && ending.session.is_some();
        if let Some(at) = self.ended.iter().position(revivable) {
            self.ended.remove(at);
            self.remember(end, None);
        }
    }

    /// Adds the newest ending, and forgets the oldest beyond the bounds.
    fn remember(&mut self, end: &Ending, revivable: Option<Box<Session>>) {
        self.ended.push(Ending {
            id: end.id.clone(),
            ended_at: end.ended_at,
            reason: end.reason,
            taken_by: end.taken_by.clone(),
            session: revivable,
        });
        self.forget_surplus();
    }

    /// Forgets the oldest endings beyond the bounds.
    fn forget_surplus(&mut self) {
        // As few are within every bound, whatever their kinds.
        if self.ended.len() <= STOPPED_ENDINGS_MAX {
            return;
        }
        let stopped_max = STOPPED_ENDINGS_MAX.max(self.live.len());
        self.forget_beyond(stopped_max, |ending| ending.reason == EndReason::Stopped);
        self.forget_beyond(REVIVABLE_ENDINGS_MAX, |ending| ending.session.is_some());
        self.forget_beyond(IMPOSED_ENDINGS_MAX, |ending| {
            ending.session.is_none() && ending.reason != EndReason::Stopped
        });
    }

    /// Forgets the oldest endings of a kind until at most `max` of them are left.
    fn forget_beyond(&mut self, max: usize, kind: impl Fn(&Ending) -> bool) {
        let count = self.ended.iter().filter(|ending| kind(ending)).count();
        let mut surplus = count.saturating_sub(max);
        if surplus == 0 {
            return;
        }
        self.ended.retain(|ending| {
            let goes = surplus > 0 && kind(ending);
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// Panics where the ledger is not one that this code can have made. For tests and debug builds.
    pub(crate) fn assert_sound(&self) {
        assert!(
            self.live.len() <= LIVE_MAX,
            "more live sessions than any limit allows"
        );
        assert!(
            self.live
                .windows(2)
                .all(|pair| pair[0].started_at <= pair[1].started_at),
            "live sessions are in the order in which they started"
        );
        for (i, session) in self.live.iter().enumerate() {
            assert!(
                self.live[i + 1..]
                    .iter()
                    .all(|other| other.id != session.id),
                "a session id is live once"
            );
            assert!(
                self.ending_of(&session.id).is_none(),
                "a live session has not ended"
            );
        }
        for (i, ending) in self.ended.iter().enumerate() {
            assert_eq!(
                ending.session.is_some(),
                ending.reason == EndReason::Expired,
                "expired endings, and only they, can be revived"
            );
            assert!(
                self.ended[i + 1..]
                    .iter()
                    .all(|other| other.id != ending.id),
                "an ending is remembered once"
            );
        }
    }
}
