//! Runs of a command of which nobody knows whether they were committed, and what a later run tells
//! about them.

use streamgate_core::admission::Command;
use streamgate_core::{Decision, Durability, Event, Ledger};

/// The runs of one call that are in doubt.
pub(crate) struct Doubt<C: Command> {
    /// The last one that would have changed something that callers rely on. Had an earlier one been
    /// committed, this one would have found it done.
    run: Option<Decision<C::Outcome>>,
    /// The expiries that any of them found. No outcome tells of them.
    expiries: Vec<Event>,
}

impl<C: Command> Doubt<C> {
    pub(crate) const fn none() -> Self {
        Self {
            run: None,
            expiries: Vec::new(),
        }
    }

    /// Whether a run in doubt may have changed something that callers rely on.
    pub(crate) const fn matters(&self) -> bool {
        self.run.is_some()
    }

    /// Remembers a run that is in doubt.
    pub(crate) fn add(&mut self, decision: Decision<C::Outcome>) {
        for event in &decision.events {
            if event.durability() == Durability::Relaxed && !self.expiries.contains(event) {
                self.expiries.push(event.clone());
            }
        }
        if is_durable(&decision) {
            self.run = Some(decision);
        }
    }

    /// What took effect, now that the last run has an answer.
    pub(crate) fn settle(self, last: Decision<C::Outcome>) -> Decision<C::Outcome> {
        // Nearly always.
        if self.run.is_none() && self.expiries.is_empty() {
            return last;
        }
        let mut told = match self.run {
            // The last run found nothing to do, because the run in doubt had done it. Both happened.
            Some(run) if !is_durable(&last) && C::was_done(&run.outcome, &last.outcome) => {
                Decision {
                    ledger: last.ledger,
                    outcome: run.outcome,
                    events: [run.events, last.events].concat(),
                }
            }
            _ => last,
        };
        // An expiry that was not committed is found again by the next run. One that was not found
        // again has happened, and whoever counts sessions must hear of it.
        let mut events = self.expiries;
        events.retain(|event| !told.events.contains(event) && is_over(event, &told.ledger));
        events.append(&mut told.events);
        told.events = events;
        told
    }
}

fn is_durable<T>(decision: &Decision<T>) -> bool {
    decision.durability() == Some(Durability::Durable)
}

/// Whether the session that the event ends is live no more.
fn is_over(event: &Event, ledger: &Ledger) -> bool {
    matches!(event, Event::Ended { id, .. } if ledger.find(id).is_none())
}
