//! Sessions that were let play while no store could be asked: they come to the ledger by the rules
//! of a start, and what the ledger knows already counts for more.

use crate::support::{User, all_metadata, id, name};
use streamgate_core::admission::{Adopt, Alive, HeartbeatOutcome, Start, StopOutcome};
use streamgate_core::{AtLimit, EndReason, Ending, Seconds, SessionMetadata};

fn adopt(user: &mut User, start: Start) -> HeartbeatOutcome {
    user.run(&Adopt(start)).outcome
}

fn ended(outcome: HeartbeatOutcome) -> Ending {
    match outcome {
        HeartbeatOutcome::Ended(ending) => ending,
        other => panic!("it has not ended: {other:?}"),
    }
}

#[test]
fn a_session_that_the_ledger_never_saw_takes_a_free_slot_with_all_that_its_start_said() {
    let mut user = User::with_limit(2);
    user.admitted("a");
    let start = Start {
        metadata: Some(all_metadata().into()),
        lease: Some(Seconds(600)),
        ..Start::new(id("b"))
    };
    let HeartbeatOutcome::Revived(Alive {
        session,
        limit,
        active,
    }) = adopt(&mut user, start)
    else {
        panic!("a slot is free");
    };
    assert_eq!((limit, active), (2, 2));
    let live = user.ledger.find(&id("b")).expect("it is live");
    assert_eq!(live.metadata.as_deref(), Some(&all_metadata()));
    assert_eq!(session.expires_at.millis_since(user.now()), 600_000);
    assert!(matches!(user.beat("b"), HeartbeatOutcome::Renewed { .. }));
}

#[test]
fn a_start_that_arrived_after_all_is_a_heartbeat() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.pass(1_000);
    let outcome = adopt(&mut user, Start::new(id("a")));
    assert!(matches!(
        outcome,
        HeartbeatOutcome::Renewed(Alive { active: 1, .. })
    ));
}

#[test]
fn one_that_finds_no_slot_is_over_and_holds_none() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    let over = ended(adopt(&mut user, Start::new(id("b"))));
    assert_eq!(
        (over.reason, over.ended_at),
        (EndReason::Expired, user.now())
    );
    assert_eq!(user.live(), ["a"]);
    // It may try again, as a session that has expired may.
    user.stop("a");
    let outcome = adopt(&mut user, Start::new(id("b")));
    assert!(matches!(outcome, HeartbeatOutcome::Revived { .. }));
}

#[test]
fn what_was_stopped_meanwhile_stays_stopped() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    assert_eq!(user.stop("a"), StopOutcome::Stopped);
    let over = ended(adopt(&mut user, Start::new(id("a"))));
    assert_eq!(over.reason, EndReason::Stopped);
    assert!(user.live().is_empty());
}

#[test]
fn the_session_whose_slot_it_was_to_take_gives_way() {
    let mut user = User::with_limit(1);
    user.admitted("episode-1");
    let next = Start {
        replaces: Some(id("episode-1")),
        ..Start::new(id("episode-2"))
    };
    let outcome = adopt(&mut user, next);
    assert!(matches!(outcome, HeartbeatOutcome::Revived { .. }));
    assert_eq!(user.live(), ["episode-2"]);
}

#[test]
fn the_policy_takes_the_oldest_slot_for_it_as_for_any_start() {
    let mut user = User::with_limit(1);
    user.policy.at_limit = AtLimit::EvictOldest;
    user.admitted("old");
    let outcome = adopt(&mut user, Start::new(id("new")));
    assert!(matches!(
        outcome,
        HeartbeatOutcome::Revived(Alive { active: 1, .. })
    ));
    assert_eq!(user.live(), ["new"]);
    assert_eq!(ended(user.beat("old")).reason, EndReason::Evicted);
}

/// A start of session `a` on a device.
fn on(device: &str) -> Start {
    let metadata = SessionMetadata {
        device_id: Some(name(device)),
        ..SessionMetadata::default()
    };
    Start {
        metadata: Some(metadata.into()),
        ..Start::new(id("a"))
    }
}

#[test]
fn an_expired_session_of_another_device_is_not_revived() {
    let mut user = User::with_limit(1);
    user.run(&on("tv"));
    user.pass(user.lease_ms());
    let outcome = adopt(&mut user, on("phone"));
    assert!(matches!(outcome, HeartbeatOutcome::Revived { .. }));
    let live = user.ledger.find(&id("a")).expect("it is live");
    assert_eq!(live.metadata, on("phone").metadata);
    assert_eq!(live.started_at, user.now(), "it is a start");
    // The same device comes back to its own session.
    user.pass(user.lease_ms());
    adopt(&mut user, on("phone"));
    let live = user.ledger.find(&id("a")).expect("it is live");
    assert!(live.started_at < user.now());
}

#[test]
fn a_session_of_another_device_keeps_its_slot_and_the_start_holds_none() {
    let mut user = User::with_limit(3);
    user.run(&on("tv"));
    user.pass(1_000);
    let before = user.ledger.clone();
    let over = ended(adopt(&mut user, on("phone")));
    assert_eq!(
        (over.reason, over.ended_at),
        (EndReason::Expired, user.now())
    );
    assert_eq!(user.ledger, before, "the lease of the other is not renewed");
    // The same device, and one that names none, come back to their own session.
    for start in [on("tv"), Start::new(id("a"))] {
        let outcome = adopt(&mut user, start);
        assert!(matches!(outcome, HeartbeatOutcome::Renewed { .. }));
    }
    user.stop("a");
    let over = ended(adopt(&mut user, on("phone")));
    assert_eq!(over.reason, EndReason::Stopped);
}
