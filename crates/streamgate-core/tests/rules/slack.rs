//! Leases that are longer than a player's silence may be: because heartbeats go unwritten, or
//! because the clocks of the nodes differ.

use crate::support::{User, at};
use streamgate_core::admission::HeartbeatOutcome;
use streamgate_core::{Event, Policy, Seconds};

fn lazy(heartbeat_write_interval_s: u32, skew_s: u32) -> User {
    let mut user = User::with_limit(1);
    user.policy = Policy {
        heartbeat_write_interval: Seconds(heartbeat_write_interval_s),
        clock_skew: Seconds(skew_s),
        ..user.policy
    };
    user
}

fn renewed(outcome: HeartbeatOutcome) -> streamgate_core::Held {
    match outcome {
        HeartbeatOutcome::Renewed(alive) => alive.session,
        other => panic!("not live: {other:?}"),
    }
}

#[test]
fn heartbeats_soon_after_a_recorded_one_change_nothing() {
    let mut user = lazy(60, 0);
    let started = user.admitted("a");
    assert_eq!(started.expires_at, at(user.now_ms + 150_000));
    user.pass(59_999);
    let before = user.ledger.clone();
    assert_eq!(
        renewed(user.beat("a")),
        started.held(),
        "it is told what is stored"
    );
    assert_eq!(user.ledger, before);
    user.pass(1);
    let session = renewed(user.beat("a"));
    assert_eq!(session.last_seen_at, user.now());
    assert_eq!(session.expires_at, at(user.now_ms + 150_000));
}

/// The promise to viewers: no slot is lost within a lease after any heartbeat, recorded or not.
#[test]
fn every_heartbeat_holds_the_slot_for_a_whole_lease() {
    for beat_after_ms in [0, 1, 30_000, 59_999, 60_000, 60_001] {
        let mut user = lazy(60, 0);
        user.admitted("a");
        user.pass(beat_after_ms);
        renewed(user.beat("a"));
        user.pass(user.lease_ms() - 1);
        assert_eq!(user.live(), ["a"], "after {beat_after_ms} ms");
        // The price: the slot is free that much later, and no more.
        user.pass(60_001);
        assert_eq!(user.live(), [""; 0], "after {beat_after_ms} ms");
    }
}

#[test]
fn a_clock_that_runs_ahead_ends_no_lease_too_early() {
    let mut user = lazy(0, 5);
    user.admitted("a");
    // Another node's clock, five seconds ahead.
    user.pass(user.lease_ms() - 1 + 5_000);
    assert_eq!(user.live(), ["a"]);
    user.pass(1);
    assert_eq!(user.live(), [""; 0]);
}

#[test]
fn a_lease_of_a_clock_that_runs_ahead_within_bounds_is_left_alone() {
    let mut user = lazy(10, 5);
    user.pass(5_000);
    user.admitted("a");
    user.set_back(5_000);
    let decision = user.run(&streamgate_core::admission::Settle);
    assert_eq!(decision.events, []);
    user.set_back(1);
    let decision = user.run(&streamgate_core::admission::Settle);
    let [Event::Renewed { expires_at, .. }] = &decision.events[..] else {
        panic!("{:?}", decision.events);
    };
    assert_eq!(*expires_at, at(user.now_ms + 105_000));
}

#[test]
fn a_ledger_is_garbage_once_nothing_in_it_can_matter() {
    let window = Seconds(600);
    let mut user = User::with_limit(2);
    assert_eq!(user.ledger.garbage_at(window), None, "nothing is kept");
    let first = user.admitted("a");
    user.pass(1_000);
    let second = user.admitted("b");
    assert!(first.expires_at < second.expires_at);
    assert_eq!(
        user.ledger.garbage_at(window),
        Some(second.expires_at.plus(window))
    );
    user.stop("b");
    assert_eq!(
        user.ledger.garbage_at(window),
        Some(first.expires_at.plus(window))
    );
    user.stop("a");
    assert_eq!(
        user.ledger.garbage_at(window),
        Some(user.now().plus(window))
    );
    user.ledger.limit = Some(1);
    assert_eq!(
        user.ledger.garbage_at(window),
        None,
        "a limit stays for good"
    );
}
