//! How long a slot is held: to the very millisecond, with no sweep and whatever the clock did.

use crate::support::{User, at, id};
use streamgate_core::Seconds;
use streamgate_core::admission::{Alive, HeartbeatOutcome, Start, StartOutcome};
use streamgate_core::codec::{decode_ledger, encode_ledger, grant_grace};
use streamgate_core::{EndReason, Ending, Event};

const HOUR_MS: u64 = 3_600_000;

fn is_refused(outcome: &StartOutcome) -> bool {
    matches!(outcome, StartOutcome::Refused(_))
}

#[test]
fn a_slot_is_held_until_the_last_millisecond_and_free_at_the_next() {
    let mut user = User::with_limit(1);
    let session = user.admitted("a");
    assert_eq!(session.expires_at, at(user.now_ms + 90_000));
    user.pass(user.lease_ms() - 1);
    assert!(is_refused(&user.start("b")));
    assert_eq!(user.live(), ["a"]);
    user.pass(1);
    assert_eq!(user.live(), [""; 0], "nobody had to sweep");
    user.admitted("b");
    let ending = user.ledger.ending_of(&id("a")).expect("remembered");
    assert_eq!(
        (ending.reason, ending.ended_at),
        (EndReason::Expired, session.expires_at)
    );
}

#[test]
fn a_heartbeat_in_the_last_millisecond_holds_the_slot_for_one_lease_more() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.pass(user.lease_ms() - 1);
    let HeartbeatOutcome::Renewed(Alive { session, .. }) = user.beat("a") else {
        panic!("a is live");
    };
    assert_eq!(session.expires_at, at(user.now_ms + user.lease_ms()));
    assert_eq!(session.last_seen_at, user.now());
    user.pass(user.lease_ms() - 1);
    assert!(is_refused(&user.start("b")));
    user.pass(1);
    user.admitted("b");
}

#[test]
fn a_session_keeps_the_lease_it_asked_for() {
    let mut user = User::with_limit(1);
    let start = Start {
        lease: Some(Seconds(5)),
        ..Start::new(id("a"))
    };
    user.run(&start);
    user.pass(4_999);
    let HeartbeatOutcome::Renewed(Alive { session, .. }) = user.beat("a") else {
        panic!("a is live");
    };
    assert_eq!(session.expires_at, at(user.now_ms + 5_000));
    user.pass(5_000);
    assert!(!is_refused(&user.start("b")));
}

#[test]
fn a_retried_start_renews_the_lease_and_nothing_else() {
    let mut user = User::with_limit(2);
    let first = user.admitted("a");
    user.pass(60_000);
    let retried = Start {
        metadata: Some(crate::support::all_metadata().into()),
        lease: Some(Seconds(5)),
        ..Start::new(id("a"))
    };
    let StartOutcome::AlreadyLive(admitted) = user.run(&retried).outcome else {
        panic!("a is live");
    };
    assert_eq!(
        admitted.session.expires_at,
        at(user.now_ms + user.lease_ms())
    );
    assert_eq!(admitted.session.started_at, first.started_at);
    assert_eq!(admitted.session.metadata, None);
    assert_eq!(admitted.active, 1);
}

#[test]
fn a_refusal_says_when_the_next_slot_is_free() {
    let mut user = User::with_limit(2);
    let a = user.admitted("a");
    user.pass(10_000);
    let b = user.admitted("b");
    user.pass(10_000);
    user.beat("a");
    let StartOutcome::Refused(refused) = user.start("c") else {
        panic!("both slots are taken");
    };
    let holders: Vec<String> = refused.conflict.iter().map(|s| s.id.to_string()).collect();
    assert_eq!(
        (refused.limit, holders),
        (2, vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(
        refused.next_slot_at,
        Some(b.expires_at),
        "a called, so b is over first"
    );
    assert!(refused.conflict[0].expires_at > a.expires_at);

    let view = user.list();
    assert_eq!((view.limit, view.sessions), (2, refused.conflict));
    assert_eq!(view.next_slot_at, refused.next_slot_at);
    user.stop("a");
    let view = user.list();
    assert_eq!(view.next_slot_at, None, "one is free now");
}

#[test]
fn a_lowered_limit_ends_nobody_and_frees_a_slot_when_enough_are_gone() {
    let mut user = User::with_limit(3);
    user.admitted("a");
    user.pass(1_000);
    let b = user.admitted("b");
    user.pass(1_000);
    let c = user.admitted("c");
    user.policy.default_limit = 2;
    assert_eq!(user.live(), ["a", "b", "c"]);
    let StartOutcome::Refused(refused) = user.start("d") else {
        panic!("three of two slots are taken");
    };
    assert_eq!(
        refused.next_slot_at,
        Some(b.expires_at),
        "a and b must both be gone"
    );
    user.policy.default_limit = 1;
    let StartOutcome::Refused(refused) = user.start("d") else {
        panic!("three of one slot are taken");
    };
    assert_eq!(refused.next_slot_at, Some(c.expires_at));
    user.policy.default_limit = 0;
    let StartOutcome::Refused(refused) = user.start("d") else {
        panic!("the user is blocked");
    };
    assert_eq!(
        refused.next_slot_at, None,
        "a blocked user has no next slot"
    );
}

#[test]
fn a_clock_that_is_set_back_holds_no_slot_longer_than_one_lease_from_then() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.set_back(HOUR_MS);
    let StartOutcome::Refused(refused) = user.start("b") else {
        panic!("a may still be watching");
    };
    let one_lease_on = at(user.now_ms + user.lease_ms());
    assert_eq!(refused.next_slot_at, Some(one_lease_on));
    assert!(refused.conflict[0].last_seen_at <= user.now());
    user.pass(user.lease_ms() - 1);
    assert!(is_refused(&user.start("b")));
    user.pass(1);
    user.admitted("b");
}

#[test]
fn a_list_after_a_clock_was_set_back_says_what_a_refusal_would() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.set_back(HOUR_MS);
    let listed = user.list();
    let StartOutcome::Refused(refused) = user.start("b") else {
        panic!("a may still be watching");
    };
    assert_eq!(listed.next_slot_at, refused.next_slot_at);
    assert_eq!(listed.sessions, refused.conflict);
}

#[test]
fn a_heartbeat_after_a_clock_was_set_back_holds_one_lease_from_then() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.set_back(HOUR_MS);
    let HeartbeatOutcome::Renewed(Alive { session, .. }) = user.beat("a") else {
        panic!("a is live");
    };
    assert_eq!(session.last_seen_at, user.now());
    assert_eq!(session.expires_at, at(user.now_ms + user.lease_ms()));
}

#[test]
fn sessions_stay_in_the_order_of_their_starts_when_a_clock_is_set_back() {
    let mut user = User::with_limit(3);
    let a = user.admitted("a");
    user.set_back(HOUR_MS);
    let b = user.admitted("b");
    assert_eq!(b.started_at, a.started_at);
    user.pass(1_000);
    user.admitted("c");
    assert_eq!(user.live(), ["a", "b", "c"]);
}

#[test]
fn a_restart_gives_one_lease_of_grace_whatever_the_clock_shows() {
    let mut user = User::with_limit(1);
    let session = user.admitted("a");
    let record = encode_ledger(&user.ledger).expect("a is in it");
    let clocks = [
        0,
        session.started_at.as_millis() - HOUR_MS,
        session.expires_at.as_millis() + 9 * HOUR_MS,
    ];
    for now_ms in clocks {
        let graced = grant_grace(&record, at(now_ms))
            .expect("a sound record")
            .record;
        user.ledger = decode_ledger(&graced).expect("a sound record");
        user.now_ms = now_ms + user.lease_ms() - 1;
        assert!(is_refused(&user.start("b")), "at {now_ms}");
        user.pass(1);
        user.admitted("b");
    }
}

#[test]
fn a_settled_user_reports_the_end_at_the_time_it_was_due() {
    let mut user = User::with_limit(2);
    let a = user.admitted("a");
    user.pass(1_000);
    let b = user.admitted("b");
    user.pass(HOUR_MS / 10);
    let ended = |session: &streamgate_core::Session| {
        Event::Ended(Ending {
            id: session.id.clone(),
            ended_at: session.expires_at,
            reason: EndReason::Expired,
            taken_by: None,
            session: Some(Box::new(session.clone())),
        })
    };
    let events = user.run(&streamgate_core::admission::Settle).events;
    assert_eq!(events, [ended(&a), ended(&b)]);
    assert_eq!(user.run(&streamgate_core::admission::Settle).events, []);
}
