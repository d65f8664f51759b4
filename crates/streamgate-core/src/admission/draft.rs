//! A ledger on which a decision is being made, and the events so far.

use crate::event::Event;
use crate::ids::SessionId;
use crate::ledger::Ledger;
use crate::metadata::SessionMetadata;
use crate::policy::{OverLimit, Policy, Rule};
use crate::session::{EndReason, Ending, Session};
use crate::time::{Moment, Timestamp};

/// A ledger on which a decision is being made. It changes only by [`Draft::record`].
#[derive(Debug)]
pub struct Draft<'a> {
    ledger: Ledger,
    policy: &'a Policy,
    moment: Moment,
    events: Vec<Event>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(ledger: Ledger, policy: &'a Policy, moment: Moment) -> Self {
        Self {
            ledger,
            policy,
            moment,
            events: Vec::new(),
        }
    }

    /// The ledger as it stands, all events so far applied.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The rules.
    #[must_use]
    pub fn policy(&self) -> &'a Policy {
        self.policy
    }

    /// The time of the decision.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.moment.time
    }

    /// The same with the last stall before it.
    pub(crate) fn moment(&self) -> Moment {
        self.moment
    }

    /// The rule that counts all sessions of the user.
    #[must_use]
    pub fn limit(&self) -> Rule {
        self.policy.limit_of(&self.ledger)
    }

    /// The rules for a session of the user with this metadata.
    pub(crate) fn rules(&self, metadata: Option<&SessionMetadata>) -> impl Iterator<Item = Rule> {
        let rules = self.policy.rules_of(&self.ledger);
        rules.filter(move |rule| rule.scope.covers(metadata))
    }

    /// Whether every rule admits one more session with this metadata as things stand.
    pub(crate) fn has_slot_for(&self, metadata: Option<&SessionMetadata>) -> bool {
        self.rules(metadata)
            .all(|rule| self.active_under(&rule) < rule.limit)
    }

    /// The number of live sessions that a rule counts.
    pub(crate) fn active_under(&self, rule: &Rule) -> u32 {
        let live = self.ledger.live_at(self.now());
        let counted = live.filter(|session| rule.scope.covers(session.metadata.as_deref()));
        u32::try_from(counted.count()).expect("bounded by LIVE_MAX")
    }

    /// The number of slots taken.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.ledger.active_at(self.now())
    }

    /// Changes the ledger by an event, and keeps the event, with the session that it ends.
    pub fn record(&mut self, mut event: Event) {
        let left = self.ledger.apply(&event);
        if let Event::Ended(end) = &mut event {
            end.session = left.map(Box::new);
        }
        self.events.push(event);
    }

    /// Ends a live session now.
    pub(crate) fn end(&mut self, id: &SessionId, reason: EndReason, taken_by: Option<&SessionId>) {
        self.record(Event::Ended(self.end_of(id, reason, taken_by)));
    }

    /// The end of a session now.
    fn end_of(&self, id: &SessionId, reason: EndReason, taken_by: Option<&SessionId>) -> Ending {
        Ending {
            id: id.clone(),
            ended_at: self.now(),
            reason,
            taken_by: taken_by.cloned(),
            session: None,
        }
    }

    /// Ends all live sessions now, because an operator says so; returns how many there were.
    pub(crate) fn end_all(&mut self) -> u32 {
        let count = self.active();
        let ids: Vec<SessionId> = self.ledger.live.iter().map(|s| s.id.clone()).collect();
        for id in &ids {
            self.end(id, EndReason::Revoked, None);
        }
        count
    }

    /// Ends the live session at `place` if it is above the limit of a rule; returns whether it was.
    ///
    /// A user whose limit is 0 loses all sessions. Else only this session ends, and only under
    /// [`OverLimit::EndNewest`]: each of the others ends at its own next call.
    pub(crate) fn end_above_limit(&mut self, place: usize) -> bool {
        if self.limit().limit == 0 {
            self.end_all();
            return true;
        }
        if self.policy.over_limit == OverLimit::Keep {
            return false;
        }
        let (before, session) = (&self.ledger.live[..place], &self.ledger.live[place]);
        let is_above = |rule: Rule| {
            let counted = |session: &&Session| rule.scope.covers(session.metadata.as_deref());
            before.iter().filter(counted).count() >= rule.limit as usize
        };
        if !self.rules(session.metadata.as_deref()).any(is_above) {
            return false;
        }
        let id = session.id.clone();
        self.end(&id, EndReason::Evicted, None);
        true
    }

    /// Gives up an expired session that a late heartbeat could revive; others stay as they are.
    pub(crate) fn make_final(
        &mut self,
        id: &SessionId,
        reason: EndReason,
        taken_by: Option<&SessionId>,
    ) {
        let ending = self.ledger.ending_of(id);
        if ending.is_some_and(|ending| ending.session.is_some()) {
            self.record(Event::MadeFinal(self.end_of(id, reason, taken_by)));
        }
    }

    pub(crate) fn finish(self) -> (Ledger, Vec<Event>) {
        if cfg!(debug_assertions) {
            self.ledger.assert_sound();
        }
        (self.ledger, self.events)
    }
}
