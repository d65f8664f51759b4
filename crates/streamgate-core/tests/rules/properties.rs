//! Long random histories of a user against the model, and what must hold after each call: the
//! promises of docs/promises.md, the fold of events, the byte form, and the log.

use std::collections::BTreeSet;

use crate::model::history::{BEGIN_MS, History, history};
use crate::model::{Answer, Call, Imported, Sets, Start, Time, User, real};
use proptest::prelude::*;
use streamgate_core::admission::{SessionsQuery, Settle, sessions_of, user_of, watching_of};
use streamgate_core::codec::{
    apply_delta, decode_delta, decode_ledger, decode_notice, encode_delta, encode_ledger,
    encode_notice, grant_grace,
};
use streamgate_core::{
    Durability, Ending, Event, Ledger, Policy, Seconds, SessionId, Timestamp, decide,
};

/// A call of a history, and the ledgers before and after it.
struct Moment<'a> {
    policy: &'a Policy,
    call: &'a Call,
    before: &'a Ledger,
    after: &'a Ledger,
    answer: &'a Answer,
    events: &'a [Event],
    time: Time,
    now: u64,
}

/// Runs a history through the core and shows each call to `look`.
fn walk(
    history: &History,
    mut look: impl FnMut(&Moment<'_>) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let policy = real::policy(&history.rules);
    let (mut ledger, mut time) = (Ledger::default(), Time::from(BEGIN_MS));
    for (step, call) in &history.calls {
        time = step.after(time);
        let step = real::call(&ledger, &policy, call, time);
        look(&Moment {
            policy: &policy,
            call,
            before: &ledger,
            after: &step.ledger,
            answer: &step.answer,
            events: &step.events,
            time,
            now: time.now,
        })?;
        ledger = step.ledger;
    }
    Ok(())
}

/// The event as a store keeps it.
fn without_session(event: Event) -> Event {
    match event {
        Event::Ended(end) => Event::Ended(Ending {
            session: None,
            ..end
        }),
        event => event,
    }
}

fn live_ids(ledger: &Ledger) -> Vec<SessionId> {
    ledger
        .live
        .iter()
        .map(|session| session.id.clone())
        .collect()
}

/// Checks what the second of two equal calls at the same time is told.
fn is_told_again(
    moment: &Moment<'_>,
    first: &Answer,
    second: &Answer,
) -> Result<(), TestCaseError> {
    let expected = match (first, second) {
        (Answer::Stopped, Answer::Ended(over)) => {
            prop_assert_eq!(over.at, moment.now);
            return Ok(());
        }
        // Without a revive window, an ending is forgotten at once.
        (Answer::Stopped, Answer::Unknown) => {
            prop_assert_eq!(moment.policy.revive_window.0, 0);
            return Ok(());
        }
        (Answer::Ended(over), Answer::Unknown) => {
            prop_assert_eq!((moment.policy.revive_window.0, over.at), (0, moment.now));
            return Ok(());
        }
        // What it set cleared the last thing that was known of the user.
        (Answer::Refused { .. }, Answer::NotKnown) => {
            prop_assert!(!moment.after.is_known());
            return Ok(());
        }
        (Answer::Each(first), Answer::Each(second)) => {
            return are_told_again(moment, first, second);
        }
        (Answer::Erased { .. }, _) => {
            let (revoked, was_known) = (0, real::user(moment.after).is_known());
            prop_assert!(!was_known || matches!(moment.call, Call::Reset(_)));
            Answer::Erased { revoked, was_known }
        }
        (Answer::NewestStopped { .. }, second) => {
            let is_told = matches!(
                second,
                Answer::NewestIs {
                    was_stopped: true,
                    ..
                } | Answer::NoneLive {
                    was_stopped: true,
                    ..
                }
            );
            prop_assert!(is_told, "{:?}", second);
            return Ok(());
        }
        (first, _) => told_again(first.clone()),
    };
    prop_assert_eq!(second, &expected);
    Ok(())
}

/// What the second of two equal calls is told where the first was told this.
fn told_again(first: Answer) -> Answer {
    match first {
        Answer::Admitted {
            session,
            limit,
            active,
            ..
        } => Answer::AlreadyLive {
            session,
            limit,
            active,
        },
        Answer::Revived {
            session,
            limit,
            active,
        } => Answer::Renewed {
            session,
            limit,
            active,
        },
        Answer::Imported {
            sessions,
            has_profile,
            limit,
            active,
        } => {
            let sessions = sessions.into_iter().map(|session| match session {
                Imported::Started => Imported::AlreadyLive,
                other => other,
            });
            Answer::Imported {
                sessions: sessions.collect(),
                has_profile,
                limit,
                active,
            }
        }
        other => other,
    }
}

/// The same for heartbeats of a batch. What they are told of the number of slots may differ: others
/// of the same batch were revived or ended behind them.
fn are_told_again(
    moment: &Moment<'_>,
    first: &[Answer],
    second: &[Answer],
) -> Result<(), TestCaseError> {
    prop_assert_eq!(first.len(), second.len());
    for (first, second) in first.iter().zip(second) {
        match (first, second) {
            (
                Answer::Renewed { session: first, .. } | Answer::Revived { session: first, .. },
                Answer::Renewed {
                    session: second, ..
                },
            ) => prop_assert_eq!(first, second),
            (first, second) => is_told_again(moment, first, second)?,
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        // Failures are printed in full; a failing history that matters becomes a test of its own.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_core_agrees_with_the_model(history in history()) {
        let mut user = User::default();
        walk(&history, |moment| {
            let answer = user.call(&history.rules, moment.call, moment.time);
            prop_assert_eq!(moment.answer, &answer);
            prop_assert_eq!(&real::user(moment.after), &user);
            Ok(())
        })?;
    }

    #[test]
    fn nobody_is_admitted_or_revived_above_the_limit(history in history()) {
        walk(&history, |moment| {
            let now = Timestamp::from_millis(moment.now);
            let settled = decide(moment.before.clone(), moment.policy, &Settle, moment.time).ledger;
            let before = settled.active_at(now);
            let after = moment.after.active_at(now);
            let rule = moment.policy.limit_of(moment.after).limit;
            match moment.answer.alone() {
                Answer::Admitted { active, limit, .. } | Answer::Revived { active, limit, .. } => {
                    prop_assert!(after <= rule, "{} of {} slots", after, rule);
                    prop_assert_eq!((*active, *limit), (after, rule));
                }
                Answer::Imported { active, limit, .. } => {
                    prop_assert!(after <= rule.max(before), "{} of {} slots", after, rule);
                    prop_assert_eq!((*active, *limit), (after, rule));
                }
                Answer::Each(_) => {
                    prop_assert!(after <= rule.max(before), "{} of {} slots", after, rule);
                }
                // No other call gives a slot to anybody.
                _ => prop_assert!(after <= before, "{} slots, then {}", before, after),
            }
            Ok(())
        })?;
    }

    /// Promise 13: a stall costs no session its slot that held one when it began, and gives none.
    #[test]
    fn a_stall_ends_no_session_and_admits_none(history in history(), stall_ms in 2_000_u64..9_000_000) {
        walk(&history, |moment| {
            let until = moment.now + stall_ms;
            let behind = Time { now: until, stall: Some((moment.now, until)) };
            let settled = decide(moment.after.clone(), moment.policy, &Settle, behind).ledger;
            let held = |ledger: &Ledger, at: u64| -> Vec<SessionId> {
                ledger.live_at(Timestamp::from_millis(at)).map(|s| s.id.clone()).collect()
            };
            let before = held(moment.after, moment.now);
            prop_assert_eq!(&held(&settled, until), &before);
            for session in &settled.live {
                let lease_end = moment.policy.lease_end(Timestamp::from_millis(until), session.lease);
                prop_assert!(session.expires_at >= lease_end);
            }
            Ok(())
        })?;
    }

    #[test]
    fn events_are_all_that_changed(history in history()) {
        walk(&history, |moment| {
            let mut folded = moment.before.clone();
            for event in moment.events {
                let left = folded.apply(event);
                if let Event::Ended(end) = event {
                    prop_assert_eq!(left.as_ref().map(|session| &session.id), Some(&end.id));
                    prop_assert_eq!(left.as_ref(), end.session.as_deref(), "the session as it was");
                }
            }
            prop_assert_eq!(&folded, moment.after);
            Ok(())
        })?;
    }

    #[test]
    fn every_ledger_and_delta_comes_back_from_its_bytes(history in history()) {
        walk(&history, |moment| {
            match encode_ledger(moment.after) {
                Some(bytes) => prop_assert_eq!(&decode_ledger(&bytes).unwrap(), moment.after),
                None => prop_assert_eq!(&Ledger::default(), moment.after),
            }
            let kept: Vec<Event> = moment
                .events
                .iter()
                .filter(|event| event.durability() > Durability::Memory)
                .cloned()
                .collect();
            let (delta, notice) = (encode_delta(moment.events), encode_notice(moment.events));
            if kept.is_empty() {
                prop_assert!(delta.is_empty() && notice.is_empty());
            } else {
                prop_assert_eq!(&decode_notice(&notice).unwrap(), &kept);
                let stored: Vec<Event> = kept.into_iter().map(without_session).collect();
                prop_assert_eq!(decode_delta(&delta).unwrap(), stored);
            }
            Ok(())
        })?;
    }

    /// A log has no renewed leases and no forgotten endings; all else must come out of it.
    #[test]
    fn a_log_of_deltas_rebuilds_the_ledger(history in history()) {
        let mut record: Option<Vec<u8>> = None;
        walk(&history, |moment| {
            let delta = encode_delta(moment.events);
            if !delta.is_empty() {
                record = apply_delta(record.as_deref(), &delta).unwrap();
            }
            let rebuilt = match &record {
                Some(record) => decode_ledger(record).unwrap(),
                None => Ledger::default(),
            };
            let direct = moment.after;
            prop_assert_eq!(live_ids(&rebuilt), live_ids(direct));
            prop_assert_eq!(
                (rebuilt.limit, &rebuilt.plan, &rebuilt.profile),
                (direct.limit, &direct.plan, &direct.profile)
            );
            for (old, new) in rebuilt.live.iter().zip(&direct.live) {
                prop_assert_eq!(old.started_at, new.started_at);
                prop_assert_eq!((old.lease, &old.metadata), (new.lease, &new.metadata));
            }
            for ending in &direct.ended {
                let old = rebuilt.ending_of(&ending.id).expect("no ending is lost");
                prop_assert_eq!((old.ended_at, old.reason), (ending.ended_at, ending.reason));
                prop_assert_eq!(&old.taken_by, &ending.taken_by);
            }
            Ok(())
        })?;
    }

    /// A store may apply a stretch of its log to a snapshot that has it already.
    #[test]
    fn a_log_replayed_over_its_own_end_changes_no_slot(history in history()) {
        let (mut deltas, mut record) = (Vec::new(), None);
        walk(&history, |moment| {
            deltas.push(encode_delta(moment.events));
            record = encode_ledger(moment.after);
            Ok(())
        })?;
        let direct = record.as_deref().map_or_else(Ledger::default, |r| decode_ledger(r).unwrap());
        for delta in deltas.iter().filter(|delta| !delta.is_empty()) {
            record = apply_delta(record.as_deref(), delta).unwrap();
        }
        let replayed = record.as_deref().map_or_else(Ledger::default, |r| decode_ledger(r).unwrap());
        prop_assert_eq!(live_ids(&replayed), live_ids(&direct));
        prop_assert_eq!((replayed.limit, replayed.plan), (direct.limit, direct.plan));
    }

    #[test]
    fn a_restart_gives_every_live_session_one_lease_from_now(
        history in history(),
        skew_ms in -7_200_000_i64..7_200_000,
    ) {
        let (mut last, mut now) = (Ledger::default(), BEGIN_MS);
        walk(&history, |moment| {
            last = moment.after.clone();
            now = moment.now;
            Ok(())
        })?;
        let now = Timestamp::from_millis(now.saturating_add_signed(skew_ms));
        if let Some(record) = encode_ledger(&last) {
            let graced = decode_ledger(&grant_grace(&record, now).unwrap().record).unwrap();
            prop_assert_eq!(live_ids(&graced), live_ids(&last));
            prop_assert_eq!(graced.ended.len(), last.ended.len());
            for session in &graced.live {
                prop_assert_eq!(session.expires_at, now.plus(session.lease));
                prop_assert!(session.last_seen_at <= now);
            }
            for ending in &graced.ended {
                prop_assert!(ending.ended_at <= now);
            }
        }
    }

    /// Promise 3, and the same for stops: the second of two equal calls finds nothing to do.
    #[test]
    fn a_call_that_is_made_twice_takes_effect_once(history in history()) {
        walk(&history, |moment| {
            let again = real::call(moment.after, moment.policy, moment.call, moment.time);
            prop_assert_eq!(live_ids(&again.ledger), live_ids(moment.after));
            let durable = again.events.iter().any(|e| e.durability() == Durability::Durable);
            prop_assert!(!durable, "the second run did {:?}", again.events);
            is_told_again(moment, moment.answer.alone(), again.answer.alone())
        })?;
    }

    /// Promise 6: which limit, who holds the slots, and when the next one frees at the latest.
    #[test]
    fn a_refusal_explains_itself(history in history()) {
        walk(&history, |moment| {
            let Answer::Refused { limit, active, holders, next_slot_at } = moment.answer.alone()
            else {
                return Ok(());
            };
            let Some(start) = moment.call.start() else {
                return Err(TestCaseError::fail("only a start is refused"));
            };
            prop_assert_eq!(*limit, moment.policy.limit_of(moment.after).limit);
            prop_assert_eq!(holders, &real::user(moment.after).live);
            prop_assert_eq!(*active as usize, holders.len());
            let durable = moment.events.iter().any(|e| e.durability() == Durability::Durable);
            let was_live = moment.before.find(&real::session_id(start.id)).is_some();
            let may_change = was_live || start.sets != Sets::default();
            prop_assert!(!durable || may_change, "a refusal changed {:?}", moment.events);
            // What a clock says that was set back is not exact.
            if holders.iter().any(|holder| holder.started > moment.now) {
                return Ok(());
            }
            // A plain start is refused until then, and admitted then.
            let plain = Call::Start(Start { id: start.id, ..Start::default() });
            let admitted_at = |at: u64| {
                let step = real::call(moment.after, moment.policy, &plain, at);
                matches!(step.answer, Answer::Admitted { .. })
            };
            match next_slot_at {
                None => prop_assert_eq!(*limit, 0),
                Some(at) => {
                    prop_assert!(*at > moment.now);
                    prop_assert!(admitted_at(*at));
                    prop_assert!(!admitted_at(*at - 1));
                }
            }
            Ok(())
        })?;
    }

    /// What a start sets is what a change of the user before it would have set, in one step.
    #[test]
    fn a_start_that_sets_something_is_a_change_and_a_start_in_one_step(history in history()) {
        walk(&history, |moment| {
            let Call::Start(start) = moment.call else {
                return Ok(());
            };
            if matches!(moment.answer, Answer::Taken | Answer::UnknownPlan) {
                let settled = decide(moment.before.clone(), moment.policy, &Settle, moment.time);
                prop_assert_eq!(&settled.ledger, moment.after);
                return Ok(());
            }
            let mut ledger = moment.before.clone();
            if let Some(sets) = real::sets(start.sets) {
                ledger = decide(ledger, moment.policy, &*sets, moment.time).ledger;
            }
            let plain = Call::Start(Start { sets: Sets::default(), ..start.clone() });
            let step = real::call(&ledger, moment.policy, &plain, moment.time);
            prop_assert_eq!(&step.answer, moment.answer);
            if moment.policy.revive_window == Seconds(0) {
                // The second step forgets at once what the first one ended.
                let settled = |ledger: &Ledger| {
                    decide(ledger.clone(), moment.policy, &Settle, moment.time).ledger
                };
                prop_assert_eq!(settled(&step.ledger), settled(moment.after));
            } else {
                prop_assert_eq!(&step.ledger, moment.after);
            }
            Ok(())
        })?;
    }

    /// A read needs no decision to be current: it finds what a decision would. Its
    /// pages, whatever their size, are all sessions, each once.
    #[test]
    fn a_look_sees_what_a_decision_would(history in history(), size in 1_usize..4) {
        let mut user = User::default();
        walk(&history, |moment| {
            let now = moment.time;
            let settled = decide(moment.before.clone(), moment.policy, &Settle, now).ledger;
            let mut page = SessionsQuery { after: None, size: 100 };
            let view = sessions_of(moment.before, moment.policy, now, &page);
            prop_assert_eq!(&view, &sessions_of(&settled, moment.policy, now, &page));
            prop_assert_eq!(&view.sessions, &settled.live);
            prop_assert_eq!(view.active as usize, settled.live.len());
            user.call(&history.rules, &Call::Settle, moment.time);
            let next_slot_at = user.next_slot_at(&history.rules, moment.now);
            prop_assert_eq!(view.next_slot_at.map(Timestamp::as_millis), next_slot_at);
            page.size = size;
            let mut paged = Vec::new();
            loop {
                let mut view = sessions_of(moment.before, moment.policy, now, &page);
                prop_assert!(view.sessions.len() <= size);
                paged.append(&mut view.sessions);
                if view.next.is_none() {
                    break;
                }
                page.after = view.next;
            }
            let starts: Vec<Timestamp> = settled.live.iter().map(|s| s.started_at).collect();
            prop_assert_eq!(paged.iter().map(|s| s.started_at).collect::<Vec<_>>(), starts);
            let mut all = settled.live.clone();
            for sessions in [&mut paged, &mut all] {
                sessions.sort_by(|one, other| one.id.cmp(&other.id));
            }
            prop_assert_eq!(&paged, &all);
            let watching = watching_of(moment.before, moment.policy, now).into_iter();
            let watching: Vec<SessionId> = watching.map(|session| session.id).collect();
            prop_assert_eq!(watching, live_ids(&settled));
            let described = user_of(moment.before, moment.policy, now);
            prop_assert_eq!(described, user_of(&settled, moment.policy, now));
            user.call(&history.rules, moment.call, moment.time);
            Ok(())
        })?;
    }

    /// Several heartbeats at once are as many that come one after the other at the same time.
    #[test]
    fn a_batch_is_as_its_heartbeats_are_one_by_one(history in history()) {
        walk(&history, |moment| {
            let Call::Beats(ids) = moment.call else {
                return Ok(());
            };
            let (mut ledger, mut answers) = (moment.before.clone(), Vec::new());
            for id in ids {
                let step = real::call(&ledger, moment.policy, &Call::Beat(*id), moment.time);
                ledger = step.ledger;
                answers.push(step.answer);
            }
            prop_assert_eq!(moment.answer, &Answer::Each(answers));
            let settled = real::call(&ledger, moment.policy, &Call::Settle, moment.time);
            let now = moment.time;
            prop_assert_eq!(
                decide(moment.after.clone(), moment.policy, &Settle, now).ledger,
                settled.ledger
            );
            Ok(())
        })?;
    }

    /// A session above the limit ends by its own call only, and one within the limit does not.
    #[test]
    fn only_what_is_above_the_limit_is_ended_by_a_heartbeat(history in history()) {
        walk(&history, |moment| {
            let Call::Beat(_) = moment.call else {
                return Ok(());
            };
            let now = moment.time;
            let settled = decide(moment.before.clone(), moment.policy, &Settle, now).ledger;
            let limit = moment.policy.limit_of(&settled).limit as usize;
            let within = live_ids(&settled).into_iter().take(limit);
            let after = live_ids(moment.after);
            prop_assert!(within.into_iter().all(|id| after.contains(&id)));
            Ok(())
        })?;
    }

    /// No session gives way to an import, and one that is remembered as ended does not come back.
    #[test]
    fn an_import_ends_nobody_and_brings_nobody_back(history in history()) {
        walk(&history, |moment| {
            if !matches!(moment.call, Call::Import(_)) {
                return Ok(());
            }
            let settled = decide(moment.before.clone(), moment.policy, &Settle, moment.time).ledger;
            let after = live_ids(moment.after);
            prop_assert!(live_ids(&settled).iter().all(|id| after.contains(id)));
            prop_assert_eq!(&settled.ended, &moment.after.ended);
            Ok(())
        })?;
    }

    /// A reset must not lift the limit of a user.
    #[test]
    fn a_reset_leaves_plan_and_limit_and_nobody_watching(history in history()) {
        walk(&history, |moment| {
            if !matches!(moment.call, Call::Reset(_)) {
                return Ok(());
            }
            let (before, after) = (moment.before, moment.after);
            prop_assert_eq!((before.limit, &before.plan), (after.limit, &after.plan));
            prop_assert_eq!(live_ids(after), []);
            let has_more =
                after.limit.is_some() || after.plan.is_some() || !after.profile.is_empty();
            prop_assert_eq!(after.is_known(), has_more);
            Ok(())
        })?;
    }

    #[test]
    fn a_name_is_in_one_place_only(history in history()) {
        walk(&history, |moment| {
            let live = moment.after.live.iter().map(|session| &session.id);
            let ended = moment.after.ended.iter().map(|ending| &ending.id);
            let names: Vec<_> = live.chain(ended).collect();
            let distinct: BTreeSet<_> = names.iter().collect();
            prop_assert_eq!(names.len(), distinct.len());
            Ok(())
        })?;
    }
}
