//! Runs of a command of which nobody knows whether they were committed, and what a later run tells
//! about them.

use streamgate_core::admission::Command;
use streamgate_core::{Decision, Durability, Event, Ledger};

/// The runs of one call that are in doubt.
pub(crate) struct Doubt<C: Command> {
    /// Those that would have changed something that callers rely on. One of them may have been
    /// committed, and it need not be the last: a store may run a step on what it takes the record
    /// to be, and such a run knows nothing of those before it.
    runs: Vec<Decision<C::Outcome>>,
    /// The expiries that any of them found. No outcome tells of them.
    expiries: Vec<Event>,
}

impl<C: Command> Doubt<C> {
    pub(crate) const fn none() -> Self {
        Self {
            runs: Vec::new(),
            expiries: Vec::new(),
        }
    }

    /// Whether a run in doubt may have changed something that callers rely on.
    pub(crate) const fn matters(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Remembers a run that is in doubt.
    pub(crate) fn add(&mut self, decision: Decision<C::Outcome>) {
        for event in &decision.events {
            if event.durability() == Durability::Relaxed && !self.expiries.contains(event) {
                self.expiries.push(event.clone());
            }
        }
        if is_durable(&decision) {
            self.runs.push(decision);
        }
    }

    /// What took effect, now that the last run has an answer.
    pub(crate) fn settle(self, last: Decision<C::Outcome>) -> Decision<C::Outcome> {
        // Nearly always.
        if self.runs.is_empty() && self.expiries.is_empty() {
            return last;
        }
        let done = |run: &Decision<C::Outcome>| was_done::<C>(run, &last);
        let mut told = match self.runs.into_iter().rfind(done) {
            // The last run found nothing to do, because the run in doubt had done it. Both
            // happened.
            Some(run) => Decision {
                ledger: last.ledger,
                outcome: run.outcome,
                events: [run.events, last.events].concat(),
            },
            None => last,
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

/// Whether a run in doubt was committed, as far as a later one can tell: that one found nothing to
/// do, and what is there is not at odds with what the run in doubt would have left.
fn was_done<C: Command>(run: &Decision<C::Outcome>, last: &Decision<C::Outcome>) -> bool {
    !is_durable(last)
        && C::was_done(&run.outcome, &last.outcome)
        && !run
            .events
            .iter()
            .any(|event| last.ledger.contradicts(event))
}

fn is_durable<T>(decision: &Decision<T>) -> bool {
    decision.durability() == Some(Durability::Durable)
}

/// Whether the session that the event ends is live no more.
fn is_over(event: &Event, ledger: &Ledger) -> bool {
    matches!(event, Event::Ended { id, .. } if ledger.find(id).is_none())
}
