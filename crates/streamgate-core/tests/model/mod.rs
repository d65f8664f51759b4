//! The rules of product.md and api.md as a naive program over lists: the judge of `decide`.
//!
//! It shares no code with the core: ids are small numbers, times are milliseconds, and every rule
//! is written the slow, obvious way. The bounds on remembered endings are *not* here; no history
//! that is compared reaches them.

pub(crate) mod calls;
mod guests;
pub(crate) mod history;
pub(crate) mod real;

use streamgate_core::{EndReason, Moment, Stall, Timestamp};

pub(crate) use calls::{Answer, Call, Id, Import, Imported, Profile, Sets, Start};

/// The rules of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) default_limit: u32,
    pub(crate) evict_oldest: bool,
    pub(crate) evict_min_age_s: u32,
    pub(crate) end_newest: bool,
    pub(crate) lease_s: u32,
    pub(crate) window_s: u32,
    pub(crate) heartbeat_write_interval_s: u32,
    pub(crate) skew_s: u32,
}

impl Rules {
    /// When a lease is over that begins now: after itself, and what makes up for unwritten
    /// heartbeats and for a clock that runs ahead.
    fn until(&self, now: u64, lease_s: u32) -> u64 {
        let seconds = lease_s + self.heartbeat_write_interval_s + self.skew_s;
        now + u64::from(seconds) * 1_000
    }
}

/// When a call comes, in milliseconds, and the last stall before it: from when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) now: u64,
    pub(crate) stall: Option<(u64, u64)>,
}

impl From<u64> for Time {
    fn from(now: u64) -> Self {
        Self { now, stall: None }
    }
}

impl From<Time> for Moment {
    fn from(time: Time) -> Self {
        let at = Timestamp::from_millis;
        Self {
            time: at(time.now),
            stall: time.stall.map(|(from, until)| Stall {
                from: at(from),
                until: at(until),
            }),
        }
    }
}

/// Plans of every [`Rules`]: name, limit, and whether the oldest is evicted, if the plan says so.
pub(crate) const PLANS: [(&str, u32, Option<bool>); 3] = [
    ("solo", 1, None),
    ("zapper", 1, Some(true)),
    ("strict", 2, Some(false)),
];

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct User {
    pub(crate) limit: Option<u32>,
    pub(crate) plan: Option<String>,
    pub(crate) profile: Option<String>,
    /// In the order of their starts.
    pub(crate) live: Vec<Playback>,
    /// In the order of their names.
    pub(crate) over: Vec<Over>,
}

/// A session that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Playback {
    pub(crate) id: Id,
    pub(crate) started: u64,
    pub(crate) seen: u64,
    pub(crate) until: u64,
    pub(crate) lease_s: u32,
    pub(crate) metadata: Option<String>,
    pub(crate) device: Option<String>,
}

/// The times of a session that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) started: u64,
    pub(crate) seen: u64,
    pub(crate) until: u64,
    pub(crate) lease_s: u32,
}

impl Playback {
    pub(crate) fn held(&self) -> Held {
        Held {
            started: self.started,
            seen: self.seen,
            until: self.until,
            lease_s: self.lease_s,
        }
    }
}

/// A session that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Over {
    pub(crate) id: Id,
    pub(crate) at: u64,
    pub(crate) why: EndReason,
    pub(crate) taken_by: Option<Id>,
    /// Only of an expired one.
    pub(crate) playback: Option<Playback>,
}

impl User {
    /// Answers a call at this time.
    pub(crate) fn call(&mut self, rules: &Rules, call: &Call, time: impl Into<Time>) -> Answer {
        let Time { now, stall } = time.into();
        self.grace(rules, now, stall);
        self.settle(rules, now);
        let answer = match call {
            Call::Start(start) => self.start(rules, start, now),
            Call::Beat(id) => self.beat(rules, *id, now),
            Call::Beats(ids) => {
                Answer::Each(ids.iter().map(|id| self.beat(rules, *id, now)).collect())
            }
            Call::Stop(id) => self.stop(*id, EndReason::Stopped, now),
            Call::Revoke(id) => self.stop(*id, EndReason::Revoked, now),
            Call::SetLimit(limit) => {
                self.limit = *limit;
                self.set(rules, now)
            }
            Call::SetPlan(Some(plan)) if PLANS.iter().all(|(name, ..)| name != plan) => {
                Answer::UnknownPlan
            }
            Call::SetPlan(plan) => {
                self.plan = plan.map(str::to_owned);
                self.set(rules, now)
            }
            Call::SetProfile(profile) => {
                self.profile = profile.map(str::to_owned);
                self.set(rules, now)
            }
            Call::Erase => self.erase(now),
            Call::Settle => Answer::Settled,
            Call::StartIfKnown(_) if !self.is_known() => Answer::NotKnown,
            Call::StartIfKnown(start) => self.start(rules, start, now),
            Call::StartAndList(start) => self.start_and_list(rules, start, now),
            Call::Adopt(start) => self.adopt(rules, start, now),
            Call::StopNewest(expected) => self.stop_newest(*expected, now),
            Call::Reset(profile) => self.reset(*profile, now),
            Call::Import(import) => self.import(rules, import, now),
        };
        self.over.sort_by_key(|over| over.id);
        answer
    }

    /// The limit that applies, and whether the oldest is evicted at it.
    pub(crate) fn limit(&self, rules: &Rules) -> (u32, bool) {
        let plan = PLANS
            .iter()
            .find(|(name, ..)| self.plan.as_deref() == Some(name));
        let limit = match (self.limit, plan) {
            (Some(own), _) => own,
            (None, Some((_, limit, _))) => *limit,
            (None, None) => rules.default_limit,
        };
        let evict = plan.and_then(|(_, _, evict)| *evict);
        (limit, evict.unwrap_or(rules.evict_oldest))
    }

    pub(crate) fn ids(&self) -> Vec<Id> {
        self.live.iter().map(|session| session.id).collect()
    }

    /// Whether there is more to the user than sessions that an operator ended.
    pub(crate) fn is_known(&self) -> bool {
        let nothing_but_endings = Self {
            over: self.over.clone(),
            ..Self::default()
        };
        *self != nothing_but_endings || self.over.iter().any(|o| o.why != EndReason::Revoked)
    }

    fn active(&self) -> u32 {
        u32::try_from(self.live.len()).expect("few")
    }

    /// A session that was live when the server stood still has a whole lease from when it went on.
    fn grace(&mut self, rules: &Rules, now: u64, stall: Option<(u64, u64)>) {
        let Some((from, until)) = stall else {
            return;
        };
        for session in &mut self.live {
            if until <= now && session.until > from {
                session.until = session.until.max(rules.until(until, session.lease_s));
            }
        }
    }

    /// A lease is over when its time is past; endings are forgotten after the window; a lease of a
    /// clock that ran ahead lasts one lease from now.
    fn settle(&mut self, rules: &Rules, now: u64) {
        for session in self.live.clone() {
            if session.until <= now {
                self.end(session.id, session.until, EndReason::Expired, None);
            }
        }
        for session in &mut self.live {
            let longest = rules.until(now, session.lease_s);
            if session.until > longest + u64::from(rules.skew_s) * 1_000 {
                session.until = longest;
                session.seen = session.seen.min(now);
            }
        }
        let window = u64::from(rules.window_s) * 1_000;
        self.over.retain(|over| now < over.at + window);
    }

    fn end(&mut self, id: Id, at: u64, why: EndReason, taken_by: Option<Id>) {
        let place = self.live.iter().position(|session| session.id == id);
        let session = self.live.remove(place.expect("only a live session ends"));
        self.over.push(Over {
            id,
            at,
            why,
            taken_by,
            playback: Some(session).filter(|_| why == EndReason::Expired),
        });
    }

    /// What has expired and is given up does not come back.
    fn make_final(&mut self, id: Id, at: u64, why: EndReason, taken_by: Option<Id>) {
        for over in &mut self.over {
            if over.id == id && over.why == EndReason::Expired {
                *over = Over {
                    id,
                    at,
                    why,
                    taken_by,
                    playback: None,
                };
            }
        }
    }

    fn take_slot(&mut self, session: Playback) {
        self.over.retain(|over| over.id != session.id);
        self.live.push(session);
        // A stable sort: of two that started together, the one that was there stays in front.
        self.live.sort_by_key(|session| session.started);
    }

    /// Whether the name is that of a session on another device.
    fn is_taken(&self, start: &Start) -> bool {
        let live = self.live.iter().find(|session| session.id == start.id);
        live.is_some_and(|live| start.is_on_another_device(live))
    }

    fn start(&mut self, rules: &Rules, start: &Start, now: u64) -> Answer {
        if self.is_taken(start) {
            return Answer::Taken;
        }
        if let Some(answer) = self.set_by_start(rules, &start.sets, now) {
            return answer;
        }
        let (limit, evict_oldest) = self.limit(rules);
        if self.ids().contains(&start.id) && self.is_above_limit(rules, start.id) {
            self.end_above_limit(rules, start.id, now);
        }
        if let Some(session) = self.renew(rules, start.id, now) {
            let active = self.active();
            return Answer::AlreadyLive {
                session,
                limit,
                active,
            };
        }
        let (leaving, mut staying): (Vec<Id>, Vec<Id>) = self
            .ids()
            .into_iter()
            .partition(|id| start.replaces == Some(*id) || start.terminate.contains(id));
        let mut evicted = Vec::new();
        let old = self.old(rules, now);
        while evict_oldest && limit > 0 && staying.len() >= limit as usize {
            let Some(place) = staying.iter().position(|id| old.contains(id)) else {
                break;
            };
            evicted.push(staying.remove(place));
        }
        if staying.len() >= limit as usize {
            return self.refused(rules, now);
        }
        for id in leaving {
            self.end(id, now, EndReason::Terminated, Some(start.id));
        }
        for id in &evicted {
            self.end(*id, now, EndReason::Evicted, Some(start.id));
        }
        for id in start.replaces.iter().chain(&start.terminate) {
            self.make_final(*id, now, EndReason::Terminated, Some(start.id));
        }
        let lease_s = start.lease_s.unwrap_or(rules.lease_s);
        // The newest is listed last, whatever the clock says.
        let latest = self.live.iter().map(|session| session.started).max();
        let session = Playback {
            id: start.id,
            started: now.max(latest.unwrap_or(0)),
            seen: now,
            until: rules.until(now, lease_s),
            lease_s,
            metadata: start.metadata.map(str::to_owned),
            device: start.device.map(str::to_owned),
        };
        self.take_slot(session.clone());
        Answer::Admitted {
            session,
            limit,
            active: self.active(),
            evicted,
        }
    }

    /// Sessions that may be evicted: those that are old enough, and those that were started by a
    /// clock that was set back.
    fn old(&self, rules: &Rules, now: u64) -> Vec<Id> {
        let old_at = |started: u64| started + u64::from(rules.evict_min_age_s) * 1_000;
        let is_old = |session: &&Playback| session.started > now || old_at(session.started) <= now;
        self.live.iter().filter(is_old).map(|s| s.id).collect()
    }

    fn refused(&self, rules: &Rules, now: u64) -> Answer {
        Answer::Refused {
            limit: self.limit(rules).0,
            active: self.active(),
            holders: self.live.clone(),
            next_slot_at: self.next_slot_at(rules, now),
        }
    }

    /// The first moment at which a start is admitted, without further calls and without a step
    /// back of the clock.
    pub(crate) fn next_slot_at(&self, rules: &Rules, now: u64) -> Option<u64> {
        let (limit, evict_oldest) = self.limit(rules);
        let gives_way_at = |session: &Playback| {
            let old_at = session.started + u64::from(rules.evict_min_age_s) * 1_000;
            match (evict_oldest, session.started > now) {
                (false, _) => session.until,
                (true, false) => session.until.min(old_at),
                (true, true) => now,
            }
        };
        let mut moments: Vec<u64> = self.live.iter().map(gives_way_at).collect();
        moments.push(now);
        moments.sort_unstable();
        let first = moments.into_iter().filter(|at| *at >= now).find(|at| {
            let left = self
                .live
                .iter()
                .filter(|session| gives_way_at(session) > *at);
            left.count() < limit as usize
        });
        first.filter(|at| *at > now)
    }

    /// Above the limit are those that started last.
    fn is_above_limit(&self, rules: &Rules, id: Id) -> bool {
        let (limit, _) = self.limit(rules);
        let within: Vec<Id> = self.ids().into_iter().take(limit as usize).collect();
        (limit == 0 || rules.end_newest) && !within.contains(&id)
    }

    fn end_above_limit(&mut self, rules: &Rules, id: Id, now: u64) {
        if self.limit(rules).0 > 0 {
            return self.end(id, now, EndReason::Evicted, None);
        }
        for id in self.ids() {
            self.end(id, now, EndReason::Revoked, None);
        }
    }

    fn renew(&mut self, rules: &Rules, id: Id, now: u64) -> Option<Playback> {
        let session = self.live.iter_mut().find(|session| session.id == id)?;
        let is_recent = now < session.seen + u64::from(rules.heartbeat_write_interval_s) * 1_000;
        let lasts = session.until >= now + u64::from(session.lease_s + rules.skew_s) * 1_000;
        if rules.heartbeat_write_interval_s == 0 || !is_recent || !lasts {
            session.seen = now;
            session.until = rules.until(now, session.lease_s);
        }
        Some(session.clone())
    }

    fn beat(&mut self, rules: &Rules, id: Id, now: u64) -> Answer {
        let (limit, _) = self.limit(rules);
        if self.ids().contains(&id) && self.is_above_limit(rules, id) {
            self.end_above_limit(rules, id, now);
        }
        if let Some(session) = self.renew(rules, id, now) {
            let active = self.active();
            return Answer::Renewed {
                session: session.held(),
                limit,
                active,
            };
        }
        let Some(over) = self.over.iter().find(|over| over.id == id).cloned() else {
            return Answer::Unknown;
        };
        let Some(mut session) = over.playback.clone().filter(|_| self.active() < limit) else {
            return Answer::Ended(over);
        };
        session.seen = now;
        session.until = rules.until(now, session.lease_s);
        self.take_slot(session.clone());
        Answer::Revived {
            session: session.held(),
            limit,
            active: self.active(),
        }
    }

    fn stop(&mut self, id: Id, why: EndReason, now: u64) -> Answer {
        if self.ids().contains(&id) {
            self.end(id, now, why, None);
            return Answer::Stopped;
        }
        self.make_final(id, now, why, None);
        match self.over.iter().find(|over| over.id == id) {
            Some(over) => Answer::Ended(over.clone()),
            None => Answer::Unknown,
        }
    }

    fn erase(&mut self, now: u64) -> Answer {
        let (revoked, was_known) = (self.active(), self.is_known());
        for id in self.ids() {
            self.end(id, now, EndReason::Revoked, None);
        }
        self.over.retain(|over| over.why == EndReason::Revoked);
        (self.limit, self.plan, self.profile) = (None, None, None);
        Answer::Erased { revoked, was_known }
    }

    /// What a start sets about the user; the answer to one that names an unknown plan.
    fn set_by_start(&mut self, rules: &Rules, sets: &Sets, now: u64) -> Option<Answer> {
        if let Some(Some(plan)) = sets.plan
            && PLANS.iter().all(|(name, ..)| *name != plan)
        {
            return Some(Answer::UnknownPlan);
        }
        if let Some(plan) = sets.plan {
            self.plan = plan.map(str::to_owned);
        }
        if let Some(limit) = sets.limit {
            self.limit = limit;
        }
        if *sets != Sets::default() {
            self.set(rules, now);
        }
        None
    }

    /// After a change of the user: a blocked one has no live session.
    fn set(&mut self, rules: &Rules, now: u64) -> Answer {
        if self.limit(rules).0 == 0 {
            for id in self.ids() {
                self.end(id, now, EndReason::Revoked, None);
            }
        }
        Answer::Set {
            limit: self.limit(rules).0,
            active: self.active(),
        }
    }
}
