//! Runs of a command whose outcome is unknown, and what the record tells about them later.

use streamgate_core::admission::Command;
use streamgate_core::{Decision, Durability, EndReason, Event, Ledger, Session, SessionId};

/// The runs of one call whose commits may have been made or not. `O` is the outcome of a run, or
/// `()` if only the events matter.
///
/// One of them may have been committed, and it need not be the last: a store may run a step on a
/// speculative record, and such a run has not seen those before it.
#[derive(Debug)]
pub(crate) struct UnresolvedRuns<O>(Vec<Run<O>>);

#[derive(Debug)]
struct Run<O> {
    events: Vec<Event>,
    outcome: O,
    /// Whether the record that was seen last agrees with it.
    is_confirmed: bool,
    /// Whether that record holds the plan, limit and profile that the run would have left. True if
    /// it would have left these alone.
    has_settings: bool,
}

impl<O> UnresolvedRuns<O> {
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them may have changed something that callers rely on.
    pub(crate) fn may_have_changed(&self) -> bool {
        self.0.iter().any(|run| is_durable(&run.events))
    }

    /// Adds a run, unless it has changed nothing that is reported.
    pub(crate) fn add(&mut self, events: Vec<Event>, outcome: O) {
        if is_reported(&events) {
            self.0.push(Run {
                events,
                outcome,
                is_confirmed: false,
                has_settings: false,
            });
        }
    }

    /// Compares each run with the record, as it is before the next run changes it.
    pub(crate) fn compare(&mut self, ledger: &Ledger) {
        for run in &mut self.0 {
            let is_contradicted = lasting(&run.events).any(|event| contradicts(ledger, event));
            run.has_settings = has_settings_of(ledger, &run.events);
            let sets_alone = run.events.iter().all(is_of_settings);
            run.is_confirmed = !is_contradicted && (run.has_settings || !sets_alone);
        }
    }

    /// The events that the record confirms, and then those of the last run, which was committed.
    ///
    /// A change of plan, limit or profile is told only if the record holds what it left: if others
    /// have set the user anew, it may not have happened, and what is told last would be wrong.
    pub(crate) fn events_with(self, last: Vec<Event>) -> Vec<Event> {
        // Nearly always.
        if self.0.is_empty() {
            return last;
        }
        // Runs of one command do the same thing, so of those that callers rely on one was done.
        let confirmed = |run: &Run<O>| run.is_confirmed && is_durable(&run.events);
        let done = self.0.iter().rposition(confirmed);
        let mut events: Vec<Event> = Vec::new();
        for (at, run) in self.0.into_iter().enumerate() {
            if !run.is_confirmed || is_durable(&run.events) && done != Some(at) {
                continue;
            }
            for event in run.events {
                if is_of_settings(&event) && !run.has_settings {
                    continue;
                }
                // Two runs may have found the same session to be over. It ended once.
                if !events.contains(&event) && !last.contains(&event) {
                    events.push(event);
                }
            }
        }
        events.extend(last);
        events
    }

    /// The same runs, where only the events matter from here on.
    pub(crate) fn without_outcomes(self) -> UnresolvedRuns<()> {
        let runs = self.0.into_iter().map(|run| Run {
            events: run.events,
            outcome: (),
            is_confirmed: run.is_confirmed,
            has_settings: run.has_settings,
        });
        UnresolvedRuns(runs.collect())
    }

    /// What took effect, now that the last run has an answer.
    pub(crate) fn resolve<C: Command<Outcome = O>>(mut self, last: Decision<O>) -> Decision<O> {
        let Decision {
            ledger,
            mut outcome,
            events,
        } = last;
        // The last run found nothing to do if an unresolved one had done it.
        if !is_durable(&events) {
            let was_committed = |run: &Run<O>| {
                is_durable(&run.events)
                    && C::confirms(&run.outcome, &outcome)
                    && !run.events.iter().any(|event| ledger.contradicts(event))
            };
            if let Some(done) = self.0.iter_mut().rfind(|run| was_committed(run)) {
                std::mem::swap(&mut outcome, &mut done.outcome);
            }
        }
        Decision {
            ledger,
            outcome,
            events: self.events_with(events),
        }
    }
}

/// Whether an observer hears of such a change at all: not of a renewal alone.
pub(crate) fn is_reported(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| event.durability() > Durability::Memory)
}

fn is_durable(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| event.durability() == Durability::Durable)
}

/// The events of a run that leave something in the record: all but the endings of sessions that
/// start again in the same run, as one above a lowered limit may.
fn lasting(events: &[Event]) -> impl Iterator<Item = &Event> {
    events.iter().enumerate().filter_map(|(at, event)| {
        let starts_again = |id: &SessionId| {
            let mut later = events[at + 1..].iter();
            later.any(|event| matches!(event, Event::Started(new) if new.id == *id))
        };
        let is_undone = matches!(event, Event::Ended(end) if starts_again(&end.id));
        (!is_undone).then_some(event)
    })
}

/// Whether a record shows, some moments later, that an event of an unresolved run did not happen.
///
/// It is stricter than [`Ledger::contradicts`], which has to hold for ever: here what is missing
/// tells something, too, because a ledger remembers endings for a while.
fn contradicts(ledger: &Ledger, event: &Event) -> bool {
    match event {
        Event::Started(session) => !has_started(ledger, session),
        Event::Revived(session) => !has_revived(ledger, session),
        Event::Ended(end) if end.reason == EndReason::Expired => {
            match (ledger.find(&end.id), ledger.ending_of(&end.id)) {
                // A player that called when it was over, or later, has brought the session back.
                (Some(live), _) => live.last_seen_at < end.ended_at,
                // It was renewed before it was over.
                (None, Some(left)) => left.session.is_some() && left.ended_at != end.ended_at,
                (None, None) => false,
            }
        }
        Event::Ended(end) => match ledger.find(&end.id) {
            // Its id may have been used again after it.
            Some(live) => live.started_at <= end.ended_at,
            None => ledger.contradicts(event),
        },
        Event::MadeFinal(_) => ledger.contradicts(event),
        // Others may have set the user anew: `has_settings_of`.
        Event::UserSet { .. }
        | Event::UserErased
        | Event::Renewed { .. }
        | Event::Forgotten { .. } => false,
    }
}

/// Whether an event changes plan, limit or profile.
const fn is_of_settings(event: &Event) -> bool {
    matches!(event, Event::UserSet { .. } | Event::UserErased)
}

/// Whether a ledger holds the plan, limit and profile that these events leave, if they leave any.
fn has_settings_of(ledger: &Ledger, events: &[Event]) -> bool {
    let Some(last) = events.iter().rfind(|event| is_of_settings(event)) else {
        return true;
    };
    let mut left = Ledger::default();
    left.apply(last);
    (&left.limit, &left.plan, &left.profile) == (&ledger.limit, &ledger.plan, &ledger.profile)
}

fn has_started(ledger: &Ledger, started: &Session) -> bool {
    trace_of(ledger, &started.id).is_some_and(|trace| match trace {
        Trace::Session(session) => session.started_at == started.started_at,
        Trace::EndedAt(ended_at) => ended_at >= started.started_at,
    })
}

/// A revival leaves the time of the call that it was.
fn has_revived(ledger: &Ledger, revived: &Session) -> bool {
    trace_of(ledger, &revived.id).is_some_and(|trace| match trace {
        Trace::Session(session) => {
            session.started_at == revived.started_at && session.last_seen_at >= revived.last_seen_at
        }
        Trace::EndedAt(ended_at) => ended_at >= revived.last_seen_at,
    })
}

/// What a ledger knows of a session.
enum Trace<'a> {
    /// The session itself, live or expired.
    Session(&'a Session),
    /// Only when it ended.
    EndedAt(streamgate_core::Timestamp),
}

fn trace_of<'a>(ledger: &'a Ledger, id: &SessionId) -> Option<Trace<'a>> {
    if let Some(live) = ledger.find(id) {
        return Some(Trace::Session(live));
    }
    let ending = ledger.ending_of(id)?;
    Some(match &ending.session {
        Some(session) => Trace::Session(session),
        None => Trace::EndedAt(ending.ended_at),
    })
}
