//! The core, spoken to in the words of the model, so that the two can be compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Answer, Call, Id, Import, Imported, Over, PLANS, Playback, Profile, Rules, Sets, Time, User,
};
use streamgate_core::admission::{
    Adopt, Edit, EraseUser, Erased, Heartbeat, HeartbeatOutcome, Heartbeats, IfKnown, ImportUser,
    ImportedSession, ImportedUser, ResetUser, SetUser, SetUserOutcome, Settle, Start, StartOutcome,
    Stop, StopNewest, StopNewestOutcome, StopOutcome, Watching, WithSessions,
};
use streamgate_core::ids::Name;
use streamgate_core::policy::Plan;
use streamgate_core::{
    AtLimit, Attributes, Command, EndReason, Ending, Event, Ledger, Moment, OverLimit, Policy,
    Seconds, Session, SessionId, SessionMetadata, Timestamp, decide,
};

/// What a call did.
pub(crate) struct Step {
    pub(crate) ledger: Ledger,
    pub(crate) answer: Answer,
    pub(crate) events: Vec<Event>,
}

/// Odd ids are UUIDs, even ones are text, so that every history has both.
pub(crate) fn session_id(id: Id) -> SessionId {
    if id % 2 == 1 {
        SessionId::from_uuid_bytes([id; 16])
    } else {
        SessionId::new(&format!("s{id}")).expect("a short text")
    }
}

pub(crate) fn policy(rules: &Rules) -> Policy {
    let at_limit = |evict| {
        if evict {
            AtLimit::EvictOldest
        } else {
            AtLimit::DenyNew
        }
    };
    let plans = PLANS.iter().map(|(name, limit, evict)| {
        let (limit, at_limit) = (*limit, evict.map(at_limit));
        (self::name(name), Plan { limit, at_limit })
    });
    let policy = Policy {
        default_limit: rules.default_limit,
        at_limit: at_limit(rules.evict_oldest),
        over_limit: if rules.end_newest {
            OverLimit::EndNewest
        } else {
            OverLimit::Keep
        },
        evict_min_age: Seconds(rules.evict_min_age_s),
        plans: plans.collect(),
        lease: Seconds(rules.lease_s),
        heartbeat_interval: Seconds(rules.lease_s / 3),
        revive_window: Seconds(rules.window_s),
        heartbeat_write_interval: Seconds(rules.heartbeat_write_interval_s),
        clock_skew: Seconds(rules.skew_s),
    };
    policy.checked().expect("rules of tests are within bounds")
}

/// Asks the core.
pub(crate) fn call(ledger: &Ledger, policy: &Policy, call: &Call, now: impl Into<Time>) -> Step {
    let ask = Ask {
        ledger,
        policy,
        now: now.into().into(),
    };
    match call {
        Call::Start(start) => ask.run(&real_start(start), started),
        Call::Beat(id) => ask.run(
            &Heartbeat {
                id: session_id(*id),
            },
            beaten,
        ),
        Call::Beats(ids) => ask.run(
            &Heartbeats {
                ids: ids.iter().copied().map(session_id).collect(),
            },
            |outcomes| Answer::Each(outcomes.into_iter().map(beaten).collect()),
        ),
        Call::Stop(id) => ask.run(&stop(*id, EndReason::Stopped), stopped),
        Call::Revoke(id) => ask.run(&stop(*id, EndReason::Revoked), stopped),
        Call::SetLimit(limit) => ask.run(
            &SetUser {
                limit: edit(*limit),
                ..SetUser::default()
            },
            set,
        ),
        Call::SetPlan(plan) => ask.run(
            &SetUser {
                plan: edit(plan.map(name)),
                ..SetUser::default()
            },
            set,
        ),
        Call::SetProfile(profile) => ask.run(
            &SetUser {
                profile: edit(profile.map(attributes)),
                ..SetUser::default()
            },
            set,
        ),
        Call::Erase => ask.run(&EraseUser, erased),
        Call::Settle => ask.run(&Settle, |()| Answer::Settled),
        Call::StartIfKnown(start) => ask.run(&IfKnown(real_start(start)), |outcome| {
            outcome.map_or(Answer::NotKnown, started)
        }),
        Call::StartAndList(start) => ask.run(&WithSessions(real_start(start)), listed),
        Call::Adopt(start) => ask.run(&Adopt(real_start(start)), beaten),
        Call::StopNewest(expected) => ask.run(&stop_newest(ledger, *expected), newest_stopped),
        Call::Reset(profile) => ask.run(&reset(*profile), erased),
        Call::Import(import) => ask.run(&real_import(import), |outcome| imported(&outcome)),
    }
}

/// The ledger as the model would keep it.
pub(crate) fn user(ledger: &Ledger) -> User {
    let mut over: Vec<Over> = ledger.ended.iter().map(over).collect();
    over.sort_by_key(|over| over.id);
    User {
        limit: ledger.limit,
        plan: ledger.plan.as_ref().map(|plan| plan.as_str().to_owned()),
        profile: ledger.profile.get("k").map(str::to_owned),
        live: ledger.live.iter().map(playback).collect(),
        over,
    }
}

struct Ask<'a> {
    ledger: &'a Ledger,
    policy: &'a Policy,
    now: Moment,
}

impl Ask<'_> {
    fn run<C: Command>(&self, command: &C, answer: impl Fn(C::Outcome) -> Answer) -> Step {
        let decision = decide(self.ledger.clone(), self.policy, command, self.now);
        Step {
            ledger: decision.ledger,
            answer: answer(decision.outcome),
            events: decision.events,
        }
    }
}

fn real_start(start: &super::Start) -> Start {
    Start {
        id: session_id(start.id),
        metadata: real_metadata(start),
        lease: start.lease_s.map(Seconds),
        replaces: start.replaces.map(session_id),
        terminate: start.terminate.iter().copied().map(session_id).collect(),
        sets: sets(start.sets),
    }
}

/// What a start sets, as a change of its own would.
pub(crate) fn sets(sets: Sets) -> Option<Box<SetUser>> {
    let is_something = sets != Sets::default();
    let set = SetUser {
        plan: sets.plan.map_or(Edit::Keep, |plan| edit(plan.map(name))),
        limit: sets.limit.map_or(Edit::Keep, edit),
        profile: Edit::Keep,
    };
    is_something.then(|| Box::new(set))
}

fn real_metadata(start: &super::Start) -> Option<Arc<SessionMetadata>> {
    let metadata = SessionMetadata {
        device_id: start.device.map(name),
        content_id: start.metadata.map(name),
        attributes: start.metadata.map_or_else(Attributes::default, attributes),
        ..SessionMetadata::default()
    };
    (!metadata.is_empty()).then(|| Arc::new(metadata))
}

fn stop(id: Id, reason: EndReason) -> Stop {
    let id = session_id(id);
    Stop { id, reason }
}

/// What is live under this name is what the caller expects; a session long gone, if nothing is.
fn stop_newest(ledger: &Ledger, expected: Option<Id>) -> StopNewest {
    let session = |id| {
        let gone = || Session {
            id: session_id(id),
            started_at: Timestamp::from_millis(0),
            last_seen_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(0),
            lease: Seconds(5),
            metadata: None,
        };
        ledger.find(&session_id(id)).cloned().unwrap_or_else(gone)
    };
    StopNewest {
        expected: expected.map(session),
    }
}

fn reset(profile: Profile) -> ResetUser {
    let profile = match profile {
        Profile::Kept => Edit::Keep,
        Profile::Cleared => Edit::Clear,
        Profile::Is(text) => Edit::Set(attributes(text)),
    };
    ResetUser { profile }
}

fn real_import(import: &Import) -> ImportUser {
    ImportUser {
        sessions: import.ids.iter().copied().map(session_id).collect(),
        lease: Seconds(import.lease_s),
        profile: import.profile.map_or_else(Attributes::default, attributes),
    }
}

fn edit<T>(value: Option<T>) -> Edit<T> {
    value.map_or(Edit::Clear, Edit::Set)
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a short text")
}

fn attributes(text: &str) -> Attributes {
    let entries = BTreeMap::from([("k".into(), text.into())]);
    Attributes::new(entries).expect("one short entry")
}

fn started(outcome: StartOutcome) -> Answer {
    match outcome {
        StartOutcome::Admitted(admitted) => Answer::Admitted {
            session: playback(&admitted.session),
            limit: admitted.limit,
            active: admitted.active,
            evicted: admitted.evicted.iter().map(|s| id(&s.id)).collect(),
        },
        StartOutcome::AlreadyLive(admitted) => {
            assert_eq!(admitted.evicted, [], "a retried start evicts nobody");
            Answer::AlreadyLive {
                session: playback(&admitted.session),
                limit: admitted.limit,
                active: admitted.active,
            }
        }
        StartOutcome::Refused(refused) => Answer::Refused {
            limit: refused.limit,
            active: refused.active,
            holders: refused.conflict.iter().map(playback).collect(),
            next_slot_at: refused.next_slot_at.map(Timestamp::as_millis),
        },
        StartOutcome::Taken => Answer::Taken,
        StartOutcome::UnknownPlan(_) => Answer::UnknownPlan,
    }
}

fn beaten(outcome: HeartbeatOutcome) -> Answer {
    match outcome {
        HeartbeatOutcome::Renewed(alive) => Answer::Renewed {
            session: held(alive.session),
            limit: alive.limit,
            active: alive.active,
        },
        HeartbeatOutcome::Revived(alive) => Answer::Revived {
            session: held(alive.session),
            limit: alive.limit,
            active: alive.active,
        },
        HeartbeatOutcome::Ended(ending) => Answer::Ended(over(&ending)),
        HeartbeatOutcome::Unknown => Answer::Unknown,
    }
}

fn stopped(outcome: StopOutcome) -> Answer {
    match outcome {
        StopOutcome::Stopped => Answer::Stopped,
        StopOutcome::AlreadyEnded(ending) => Answer::Ended(over(&ending)),
        StopOutcome::Unknown => Answer::Unknown,
    }
}

fn set(outcome: SetUserOutcome) -> Answer {
    match outcome {
        SetUserOutcome::Set(view) => Answer::Set {
            limit: view.limit,
            active: view.active,
        },
        SetUserOutcome::UnknownPlan(_) => Answer::UnknownPlan,
    }
}

fn erased(erased: Erased) -> Answer {
    Answer::Erased {
        revoked: erased.revoked,
        was_known: erased.was_known,
    }
}

fn listed((outcome, watching): (StartOutcome, Vec<Watching>)) -> Answer {
    Answer::Listed {
        start: Box::new(started(outcome)),
        live: watching.iter().map(|session| id(&session.id)).collect(),
    }
}

fn newest_stopped(outcome: StopNewestOutcome) -> Answer {
    match outcome {
        StopNewestOutcome::Stopped { active } => Answer::NewestStopped { active },
        StopNewestOutcome::NewestIs {
            newest,
            was_stopped,
        } => Answer::NewestIs {
            newest: playback(&newest),
            was_stopped,
        },
        StopNewestOutcome::NoneLive {
            is_known,
            was_stopped,
        } => Answer::NoneLive {
            is_known,
            was_stopped,
        },
    }
}

fn imported(outcome: &ImportedUser) -> Answer {
    let sessions = outcome.sessions.iter().map(|session| match session {
        ImportedSession::Started => Imported::Started,
        ImportedSession::AlreadyLive => Imported::AlreadyLive,
        ImportedSession::Ended(why) => Imported::Over(*why),
        ImportedSession::NoSlot => Imported::NoSlot,
    });
    Answer::Imported {
        sessions: sessions.collect(),
        has_profile: outcome.has_profile,
        limit: outcome.limit,
        active: outcome.active,
    }
}

fn playback(session: &Session) -> Playback {
    let text = |name: &Option<Name>| name.as_ref().map(|name| name.as_str().to_owned());
    let metadata = session.metadata.as_deref().cloned().unwrap_or_default();
    let content = text(&metadata.content_id);
    assert_eq!(metadata.attributes.get("k"), content.as_deref());
    Playback {
        id: id(&session.id),
        started: session.started_at.as_millis(),
        seen: session.last_seen_at.as_millis(),
        until: session.expires_at.as_millis(),
        lease_s: session.lease.0,
        metadata: content,
        device: text(&metadata.device_id),
    }
}

fn held(held: streamgate_core::Held) -> super::Held {
    super::Held {
        started: held.started_at.as_millis(),
        seen: held.last_seen_at.as_millis(),
        until: held.expires_at.as_millis(),
        lease_s: held.lease.0,
    }
}

fn over(ending: &Ending) -> Over {
    Over {
        id: id(&ending.id),
        at: ending.ended_at.as_millis(),
        why: ending.reason,
        taken_by: ending.taken_by.as_ref().map(id),
        playback: ending.session.as_deref().map(playback),
    }
}

/// The inverse of [`session_id`].
fn id(id: &SessionId) -> Id {
    match id.as_uuid_bytes() {
        Some(bytes) => bytes[0],
        None => id.with_str(|text| text[1..].parse().expect("an id that tests made")),
    }
}
