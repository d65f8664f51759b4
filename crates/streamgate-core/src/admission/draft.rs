//! A ledger on which a decision is being made, and the events so far.

use crate::event::Event;
use crate::ids::SessionId;
use crate::ledger::Ledger;
use crate::policy::{EffectiveLimit, OverLimit, Policy};
use crate::session::EndReason;
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

    /// The limit that applies to the user now.
    #[must_use]
    pub fn limit(&self) -> EffectiveLimit {
        self.policy.limit_of(&self.ledger)
    }

    /// The number of slots taken.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.ledger.active_at(self.now())
    }

    /// Changes the ledger by an event, and keeps the event.
    pub fn record(&mut self, event: Event) {
        self.ledger.apply(&event);
        self.events.push(event);
    }

    /// Ends a live session now.
    pub(crate) fn end(&mut self, id: &SessionId, reason: EndReason, taken_by: Option<&SessionId>) {
        let (id, taken_by) = (id.clone(), taken_by.cloned());
        self.record(Event::Ended {
            id,
            ended_at: self.now(),
            reason,
            taken_by,
        });
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

    /// Ends the live session at `place` if the user's limit does not reach that far; whether it did.
    ///
    /// A limit of 0 ends all sessions of the user. Any other ends this one, and only where the
    /// policy says so: the others learn of it by their own calls.
    pub(crate) fn end_above_limit(&mut self, place: usize, limit: u32) -> bool {
        if limit == 0 {
            self.end_all();
            return true;
        }
        let within = usize::try_from(limit).expect("a limit is at most 1,000");
        if self.policy.over_limit == OverLimit::Keep || place < within {
            return false;
        }
        let id = self.ledger.live[place].id.clone();
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
        if ending.is_some_and(|ending| ending.revivable.is_some()) {
            let (id, taken_by) = (id.clone(), taken_by.cloned());
            self.record(Event::MadeFinal {
                id,
                ended_at: self.now(),
                reason,
                taken_by,
            });
        }
    }

    pub(crate) fn finish(self) -> (Ledger, Vec<Event>) {
        if cfg!(debug_assertions) {
            self.ledger.assert_sound();
        }
        (self.ledger, self.events)
    }
}
