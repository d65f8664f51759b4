//! `evict_oldest` ends no session that has just begun: two players that start again by themselves
//! do not take the slot from each other without end.

use crate::support::{User, at, id};
use streamgate_core::admission::{HeartbeatOutcome, Start, StartOutcome};
use streamgate_core::bounds::{EVICT_MIN_AGE_DEFAULT_S, EVICT_MIN_AGE_MAX_S};
use streamgate_core::{AtLimit, Policy, Seconds};

fn evicting(limit: u32, min_age_s: u32) -> User {
    let mut user = User::with_limit(limit);
    user.policy.at_limit = AtLimit::EvictOldest;
    user.policy.evict_min_age = Seconds(min_age_s);
    user
}

fn next_slot_at(outcome: StartOutcome) -> Option<u64> {
    match outcome {
        StartOutcome::Refused(refused) => refused.next_slot_at.map(|at| at.as_millis()),
        other => panic!("not refused: {other:?}"),
    }
}

fn is_admitted(outcome: &StartOutcome) -> bool {
    matches!(outcome, StartOutcome::Admitted(_))
}

#[test]
fn a_session_is_evicted_from_the_millisecond_on_at_which_it_is_old_enough() {
    let mut user = evicting(1, 5);
    let a = user.admitted("a");
    user.pass(4_999);
    let old_at = a.started_at.plus(Seconds(5)).as_millis();
    assert_eq!(next_slot_at(user.start("b")), Some(old_at));
    assert_eq!(user.list().next_slot_at, Some(at(old_at)));
    user.pass(1);
    assert_eq!(user.list().next_slot_at, None, "a start is admitted now");
    assert!(is_admitted(&user.start("b")));
    assert_eq!(user.live(), ["b"]);
}

#[test]
fn a_lease_that_ends_sooner_than_the_age_is_what_a_refusal_names() {
    let mut user = evicting(1, 60);
    let a = Start {
        lease: Some(Seconds(10)),
        ..Start::new(id("a"))
    };
    user.run(&a);
    let ends = user.now_ms + 10_000;
    assert_eq!(next_slot_at(user.start("b")), Some(ends));
    user.now_ms = ends;
    assert!(is_admitted(&user.start("b")));
}

#[test]
fn only_sessions_that_are_old_enough_make_room() {
    let mut user = evicting(3, 5);
    user.admitted("old");
    user.pass(60_000);
    user.admitted("b");
    user.admitted("c");
    assert!(is_admitted(&user.start("d")));
    assert_eq!(user.live(), ["b", "c", "d"]);
    assert!(!is_admitted(&user.start("e")));
    user.pass(5_000);
    assert!(is_admitted(&user.start("e")));
    assert_eq!(user.live(), ["c", "d", "e"]);
}

#[test]
fn nobody_is_evicted_where_too_few_may_be() {
    let mut user = evicting(2, 5);
    user.admitted("old");
    user.pass(60_000);
    user.admitted("young");
    // Two would have to leave, and one may.
    user.policy.default_limit = 1;
    assert!(!is_admitted(&user.start("c")));
    assert_eq!(user.live(), ["old", "young"]);
}

#[test]
fn what_the_viewer_names_leaves_at_any_age() {
    let mut user = evicting(1, 5);
    user.admitted("a");
    let start = Start {
        replaces: Some(id("a")),
        ..Start::new(id("b"))
    };
    assert!(is_admitted(&user.run(&start).outcome));
}

#[test]
fn an_age_of_0_protects_nobody() {
    let mut user = evicting(1, 0);
    user.admitted("a");
    assert!(is_admitted(&user.start("b")));
}

/// A clock that was wrong at boot must not make sessions that cannot be evicted.
#[test]
fn a_session_that_started_in_the_future_is_not_protected() {
    let mut user = evicting(1, 5);
    user.admitted("a");
    user.set_back(60_000);
    assert_eq!(user.list().next_slot_at, None);
    assert!(is_admitted(&user.start("b")));
}

/// Row 22: without an age each take-over leads to the next, as fast as the network is.
#[test]
fn two_players_that_start_again_by_themselves_take_the_slot_once_an_age() {
    let mut user = evicting(1, EVICT_MIN_AGE_DEFAULT_S);
    let mut take_overs = 0;
    for tick in 0..6_000 {
        // Every 10 ms for a minute, each starts again as soon as it hears that it has ended.
        let player = ["a", "b"][tick % 2];
        let plays = matches!(user.beat(player), HeartbeatOutcome::Renewed { .. });
        if !plays && is_admitted(&user.start(player)) {
            take_overs += 1;
        }
        user.pass(10);
    }
    assert!(take_overs <= 60 / EVICT_MIN_AGE_DEFAULT_S, "{take_overs}");
    assert!(
        take_overs >= 10,
        "the slot goes on to whoever asks: {take_overs}"
    );
}

#[test]
fn the_age_is_bounded() {
    let policy = |age| Policy {
        evict_min_age: Seconds(age),
        ..Policy::default()
    };
    assert!(policy(EVICT_MIN_AGE_MAX_S).checked().is_ok());
    let error = policy(EVICT_MIN_AGE_MAX_S + 1).checked().unwrap_err();
    assert_eq!(error.field, "evict_min_age_s");
}
