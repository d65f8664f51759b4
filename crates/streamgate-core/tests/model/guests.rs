//! The rules of the calls that dialects, the import and the engine make.

use streamgate_core::EndReason;

use super::{Answer, Id, Import, Imported, Over, Profile, Rules, Start, User};

impl User {
    pub(super) fn start_and_list(&mut self, rules: &Rules, start: &Start, now: u64) -> Answer {
        let start = Box::new(self.start(rules, start, now));
        let live = self.ids();
        Answer::Listed { start, live }
    }

    /// What is not known starts; what cannot start is over at once, and leaves no trace.
    pub(super) fn adopt(&mut self, rules: &Rules, start: &Start, now: u64) -> Answer {
        let over = Answer::Ended(Over {
            id: start.id,
            at: now,
            why: EndReason::Expired,
            taken_by: None,
            playback: None,
        });
        if self.is_taken(start) {
            return over;
        }
        let expired = self.over.iter().find(|over| over.id == start.id);
        let expired = expired.and_then(|over| over.playback.as_ref());
        if !expired.is_some_and(|playback| start.is_on_another_device(playback)) {
            let beaten = self.beat(rules, start.id, now);
            if beaten != Answer::Unknown {
                return beaten;
            }
        }
        match self.start(rules, start, now) {
            Answer::Admitted {
                session,
                limit,
                active,
                ..
            } => Answer::Revived {
                session: session.held(),
                limit,
                active,
            },
            _ => over,
        }
    }

    /// Nothing but the session that the caller expects is ended.
    pub(super) fn stop_newest(&mut self, expected: Option<Id>, now: u64) -> Answer {
        let was_stopped = expected.is_some_and(|id| {
            let ending = self.over.iter().find(|over| over.id == id);
            let ended_otherwise = ending.is_some_and(|over| over.why != EndReason::Stopped);
            !self.ids().contains(&id) && !ended_otherwise
        });
        let Some(newest) = self.live.last().cloned() else {
            let is_known = self.is_known();
            return Answer::NoneLive {
                is_known,
                was_stopped,
            };
        };
        if expected != Some(newest.id) {
            return Answer::NewestIs {
                newest,
                was_stopped,
            };
        }
        self.end(newest.id, now, EndReason::Stopped, None);
        Answer::NewestStopped {
            active: self.active(),
        }
    }

    /// As an erasure, but plan and limit are the operator's.
    pub(super) fn reset(&mut self, profile: Profile, now: u64) -> Answer {
        let (limit, plan, old_profile) = (self.limit, self.plan.clone(), self.profile.clone());
        let answer = self.erase(now);
        (self.limit, self.plan) = (limit, plan);
        self.profile = match profile {
            Profile::Kept => old_profile,
            Profile::Cleared => None,
            Profile::Is(text) => Some(text.to_owned()),
        };
        answer
    }

    pub(super) fn import(&mut self, rules: &Rules, import: &Import, now: u64) -> Answer {
        let profile = import.profile.map(str::to_owned);
        if self.profile.is_none() {
            self.profile.clone_from(&profile);
        }
        let mut sessions = Vec::new();
        for id in &import.ids {
            sessions.push(self.import_one(rules, *id, import.lease_s, now));
        }
        Answer::Imported {
            sessions,
            has_profile: profile.is_none() || self.profile == profile,
            limit: self.limit(rules).0,
            active: self.active(),
        }
    }

    fn import_one(&mut self, rules: &Rules, id: Id, lease_s: u32, now: u64) -> Imported {
        if let Some(over) = self.over.iter().find(|over| over.id == id) {
            return Imported::Over(over.why);
        }
        if self.ids().contains(&id) {
            if self.limit(rules).0 == 0 {
                self.end_above_limit(rules, id, now);
                return Imported::Over(EndReason::Revoked);
            }
            self.renew(rules, id, now);
            return Imported::AlreadyLive;
        }
        if self.live.len() >= self.limit(rules).0 as usize {
            return Imported::NoSlot;
        }
        let start = Start {
            id,
            lease_s: Some(lease_s),
            ..Start::default()
        };
        self.start(rules, &start, now);
        Imported::Started
    }
}
