//! What a stall of the server does to leases: a session that held a slot when it began has one
//! lease of grace from its end, and no other has.

use crate::support::{User, at, id};
use streamgate_core::admission::{
    Alive, Heartbeat, HeartbeatOutcome, SessionsQuery, Settle, Start, StartOutcome, sessions_of,
    user_of,
};
use streamgate_core::{
    Durability, EndReason, Event, Moment, Policy, Seconds, Stall, Timestamp, decide,
};

/// A moment right behind a stall that lasted from then to now.
fn behind(from_ms: u64, until_ms: u64) -> Moment {
    Moment {
        time: at(until_ms),
        stall: Some(Stall {
            from: at(from_ms),
            until: at(until_ms),
        }),
    }
}

/// A user with the limit 1 whose session `a` was last seen one second before a stall of ten
/// minutes, and the moment behind it.
fn stalled() -> (User, Moment) {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.pass(1_000);
    let from_ms = user.now_ms;
    user.pass(600_000);
    let moment = behind(from_ms, user.now_ms);
    (user, moment)
}

#[test]
fn a_start_behind_a_stall_is_refused_and_told_the_end_of_the_grace() {
    let (user, moment) = stalled();
    let decision = decide(user.ledger, &user.policy, &Start::new(id("b")), moment);
    let StartOutcome::Refused(refused) = decision.outcome else {
        panic!("a watches");
    };
    let graced = user.policy.lease_end(moment.time, user.policy.lease);
    assert_eq!(refused.next_slot_at, Some(graced));
    assert_eq!(refused.conflict[0].expires_at, graced);
    assert_eq!(refused.conflict[0].last_seen_at, at(user.now_ms - 601_000));
    // Kept with the ledger, but no disk is waited for.
    assert_eq!(
        decision.events.iter().map(Event::durability).max(),
        Some(Durability::Memory)
    );
}

#[test]
fn a_heartbeat_behind_a_stall_renews_the_lease() {
    let (user, moment) = stalled();
    let beat = Heartbeat { id: id("a") };
    let decision = decide(user.ledger, &user.policy, &beat, moment);
    let HeartbeatOutcome::Renewed(Alive { session, .. }) = decision.outcome else {
        panic!("a watches");
    };
    assert_eq!(session.last_seen_at, moment.time);
}

#[test]
fn lists_behind_a_stall_tell_the_end_of_the_grace() {
    let (user, moment) = stalled();
    let view = sessions_of(
        &user.ledger,
        &user.policy,
        moment,
        &SessionsQuery::default(),
    );
    let graced = user.policy.lease_end(moment.time, user.policy.lease);
    assert_eq!(view.sessions[0].expires_at, graced);
    assert_eq!(view.next_slot_at, Some(graced));
    assert_eq!(user_of(&user.ledger, &user.policy, moment).active, 1);
}

#[test]
fn a_session_that_nobody_renews_behind_a_stall_ends_one_lease_later() {
    let (user, moment) = stalled();
    let late = Moment {
        time: at(moment.time.as_millis() + 100_000),
        ..moment
    };
    let ledger = decide(user.ledger, &user.policy, &Settle, late).ledger;
    let ending = ledger.ending_of(&id("a")).expect("it has ended");
    assert_eq!(ending.reason, EndReason::Expired);
    assert_eq!(
        ending.ended_at,
        user.policy.lease_end(moment.time, user.policy.lease)
    );
}

#[test]
fn a_session_that_was_over_before_the_stall_gets_no_grace() {
    let mut user = User::with_limit(1);
    let session = user.admitted("a");
    user.pass(user.lease_ms());
    let moment = behind(user.now_ms, user.now_ms + 60_000);
    let decision = decide(user.ledger, &user.policy, &Start::new(id("b")), moment);
    assert!(matches!(decision.outcome, StartOutcome::Admitted(_)));
    let ending = decision.ledger.ending_of(&id("a")).expect("it has ended");
    assert_eq!(ending.ended_at, session.expires_at);
}

#[test]
fn the_grace_is_granted_once_and_shortens_no_lease() {
    let (user, moment) = stalled();
    let first = decide(user.ledger, &user.policy, &Settle, moment);
    let again = decide(first.ledger.clone(), &user.policy, &Settle, moment);
    assert_eq!(again.events, []);
    // A heartbeat from another node, later than the stall.
    let beat = Heartbeat { id: id("a") };
    let later = Timestamp::from_millis(moment.time.as_millis() + 30_000);
    let renewed = decide(first.ledger, &user.policy, &beat, later).ledger;
    let behind = Moment {
        time: later,
        ..moment
    };
    assert_eq!(decide(renewed, &user.policy, &Settle, behind).events, []);
}

#[test]
fn a_stall_in_the_future_of_a_clock_that_was_set_back_grants_nothing() {
    let (mut user, moment) = stalled();
    user.now_ms = moment.time.as_millis() - 550_000;
    let before = Moment {
        time: user.now(),
        ..moment
    };
    let settled = decide(user.ledger, &user.policy, &Settle, before);
    assert_eq!(settled.events, []);
}

#[test]
fn the_grace_is_a_lease_of_the_session_with_the_slack_of_the_policy() {
    let (mut user, moment) = stalled();
    user.policy = Policy {
        heartbeat_write_interval: Seconds(20),
        clock_skew: Seconds(5),
        ..user.policy
    };
    let ledger = decide(user.ledger, &user.policy, &Settle, moment).ledger;
    let until = moment.time.plus(Seconds(90 + 20 + 5));
    assert_eq!(ledger.live[0].expires_at, until);
}

#[test]
fn a_stall_is_longer_than_what_a_player_on_time_survives() {
    let stall_ms = |lease, interval| {
        let policy = Policy {
            lease: Seconds(lease),
            heartbeat_interval: Seconds(interval),
            ..Policy::default()
        };
        policy.stall_ms()
    };
    assert_eq!(stall_ms(90, 30), 30_000, "a heartbeat interval");
    assert_eq!(stall_ms(6, 2), 2_000);
    assert_eq!(
        stall_ms(90, 80),
        5_000,
        "half of what the lease has to spare"
    );
    assert_eq!(stall_ms(5, 1), 2_000, "never a hiccup of a busy machine");
    assert_eq!(stall_ms(5, 5), 2_000);
}
