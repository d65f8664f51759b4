//! Bringing a ledger up to the present: grace after a stall, leases that are over, endings
//! that are old enough to be forgotten.
//!
//! Every decision begins with it, so a slot is free the millisecond its lease is over. As a
//! command of its own it only frees memory and reports expiries; nothing depends on it.

use crate::admission::{Command, Draft};
use crate::event::Event;
use crate::ids::SessionId;
use crate::ledger::Ledger;
use crate::policy::Policy;
use crate::session::{EndReason, Ending, Session};
use crate::time::{Moment, Timestamp};

/// Do what every decision does first, and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Settle;

impl Command for Settle {
    type Outcome = ();

    fn decide(&self, _draft: &mut Draft<'_>) {}

    fn confirms((): &(), (): &()) -> bool {
        true
    }
}

/// [`Settle`], with what this function shows of the ledger then as its outcome.
#[derive(Debug, Clone, Copy)]
pub struct SettledView<F>(pub F);

impl<T, F: Fn(&Ledger, &Policy, Moment) -> T> Command for SettledView<F> {
    type Outcome = T;

    fn decide(&self, draft: &mut Draft<'_>) -> T {
        (self.0)(draft.ledger(), draft.policy(), draft.moment())
    }

    fn confirms(_first: &T, _second: &T) -> bool {
        false
    }
}

/// Ends the sessions whose lease is over and forgets the endings older than the revive window.
///
/// A lease that reaches further than one lease from now was granted by a clock that has gone
/// backwards since; it is cut to one lease, so that a vanished player never holds a slot longer.
///
/// During a stall no player could renew its lease. So every session that held a slot when the last
/// stall began holds it for at least one lease from the end of the stall. That admits no session:
/// what it prolongs has been in the ledger since before the stall, within the limit that held then.
pub(crate) fn expire_and_prune(draft: &mut Draft<'_>) {
    grant_grace(draft);
    expire(draft);
    cut_leases_of_a_faster_clock(draft);
    forget(draft);
}

fn grant_grace(draft: &mut Draft<'_>) {
    let (policy, moment) = (draft.policy(), draft.moment());
    if moment.stall.is_none() {
        return;
    }
    let graced: Vec<Event> = draft
        .ledger()
        .live
        .iter()
        .filter_map(|session| {
            Some(Event::Renewed {
                id: session.id.clone(),
                last_seen_at: session.last_seen_at,
                expires_at: graced_until(session, policy, moment)?,
            })
        })
        .collect();
    for event in graced {
        draft.record(event);
    }
}

/// Until when the session holds its slot by the grace after the last stall; `None` where that
/// prolongs nothing.
pub(crate) fn graced_until(
    session: &Session,
    policy: &Policy,
    moment: Moment,
) -> Option<Timestamp> {
    // A stall in the future was noticed before the clock was set back, and says nothing about now.
    let stall = moment.stall.filter(|stall| stall.until <= moment.time)?;
    let until = policy.lease_end(stall.until, session.lease);
    (session.is_live(stall.from) && session.expires_at < until).then_some(until)
}

fn expire(draft: &mut Draft<'_>) {
    let now = draft.now();
    if draft
        .ledger()
        .live
        .iter()
        .all(|session| session.is_live(now))
    {
        return;
    }
    let mut over: Vec<(Timestamp, SessionId)> = draft
        .ledger()
        .live
        .iter()
        .filter(|session| !session.is_live(now))
        .map(|session| (session.expires_at, session.id.clone()))
        .collect();
    over.sort();
    for (ended_at, id) in over {
        draft.record(Event::Ended(Ending {
            id,
            ended_at,
            reason: EndReason::Expired,
            taken_by: None,
            session: None,
        }));
    }
}

fn cut_leases_of_a_faster_clock(draft: &mut Draft<'_>) {
    let now = draft.now();
    let cut: Vec<Event> = draft
        .ledger()
        .live
        .iter()
        .filter_map(|session| {
            let (last_seen_at, expires_at) = clamp_future_lease(session, draft.policy(), now)?;
            Some(Event::Renewed {
                id: session.id.clone(),
                last_seen_at,
                expires_at,
            })
        })
        .collect();
    for event in cut {
        draft.record(event);
    }
}

/// When the session was last seen and when its lease is over, if a clock granted it that ran ahead
/// by more than clocks may.
pub(crate) fn clamp_future_lease(
    session: &Session,
    policy: &Policy,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    let longest = policy.lease_end(now, session.lease);
    let is_cut = session.expires_at > longest.plus(policy.clock_skew);
    is_cut.then(|| (session.last_seen_at.min(now), longest))
}

fn forget(draft: &mut Draft<'_>) {
    let now = draft.now();
    let window_ms = draft.policy().revive_window.as_millis();
    // `None`: no time is that long ago, so nothing is old enough to be forgotten.
    let before = now
        .as_millis()
        .checked_sub(window_ms)
        .map(Timestamp::from_millis);
    if let Some(before) = before
        && draft
            .ledger()
            .ended
            .iter()
            .any(|ending| ending.ended_at <= before)
    {
        draft.record(Event::Forgotten { before });
    }
}
