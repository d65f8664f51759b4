//! What is remembered of sessions that ended: revival within its window, and the bounds of memory.

use crate::support::{User, all_metadata, id};
use streamgate_core::admission::{
    Alive, EraseUser, Erased, Heartbeat, HeartbeatOutcome, Settle, Start, StartOutcome, Stop,
    StopOutcome,
};
use streamgate_core::bounds::{REVIVABLE_ENDINGS_MAX, STOPPED_ENDINGS_MAX};
use streamgate_core::{AtLimit, Durability, EndReason, Ledger, Seconds, Timestamp};

fn ending(outcome: HeartbeatOutcome) -> (EndReason, Timestamp, Option<String>) {
    match outcome {
        HeartbeatOutcome::Ended(ending) => {
            let taken_by = ending.taken_by.map(|id| id.to_string());
            (ending.reason, ending.ended_at, taken_by)
        }
        other => panic!("it has not ended: {other:?}"),
    }
}

/// A user whose session `a` expires at the time that is returned with it.
fn expired_at() -> (User, Timestamp) {
    let mut user = User::with_limit(1);
    let a = user.admitted("a");
    user.pass(user.lease_ms());
    (user, a.expires_at)
}

#[test]
fn a_late_heartbeat_revives_until_the_last_millisecond_of_the_window() {
    let (mut user, _) = expired_at();
    user.pass(user.window_ms() - 1);
    let HeartbeatOutcome::Revived(Alive {
        session,
        limit,
        active,
    }) = user.beat("a")
    else {
        panic!("the window is not over");
    };
    assert_eq!((limit, active), (1, 1));
    assert_eq!(session.last_seen_at, user.now());
    assert_eq!(session.expires_at, user.now().plus(user.policy.lease));

    let (mut user, _) = expired_at();
    user.pass(user.window_ms());
    assert_eq!(user.beat("a"), HeartbeatOutcome::Unknown);
    assert_eq!(user.ledger, Ledger::default(), "nothing is left to store");
}

#[test]
fn a_late_heartbeat_finds_its_slot_taken() {
    for at_limit in [AtLimit::DenyNew, AtLimit::EvictOldest] {
        let (mut user, expired_at) = expired_at();
        user.policy.at_limit = at_limit;
        user.admitted("b");
        let refused = ending(user.beat("a"));
        assert_eq!(
            refused,
            (EndReason::Expired, expired_at, None),
            "{at_limit:?}"
        );
        assert_eq!(user.live(), ["b"], "a revival evicts nobody");
        user.stop("b");
        assert!(matches!(user.beat("a"), HeartbeatOutcome::Revived { .. }));
    }
}

#[test]
fn a_revived_session_is_the_one_it_was() {
    let mut user = User::with_limit(2);
    let start = Start {
        metadata: Some(all_metadata().into()),
        lease: Some(Seconds(20)),
        ..Start::new(id("a"))
    };
    let StartOutcome::Admitted(first) = user.run(&start).outcome else {
        panic!("the first start is admitted");
    };
    user.pass(30_000);
    user.admitted("b");
    let HeartbeatOutcome::Revived(Alive { session, .. }) = user.beat("a") else {
        panic!("a slot is free");
    };
    let live = user.ledger.find(&id("a")).expect("it is live");
    assert_eq!(live.metadata, first.session.metadata);
    assert_eq!(session.lease, Seconds(20));
    assert_eq!(session.started_at, first.session.started_at);
    assert_eq!(user.live(), ["a", "b"], "it started first");
    assert_eq!(user.ledger.ending_of(&id("a")), None);
}

#[test]
fn a_blocked_user_is_not_revived() {
    let (mut user, expired_at) = expired_at();
    user.policy.default_limit = 0;
    assert_eq!(
        ending(user.beat("a")),
        (EndReason::Expired, expired_at, None)
    );
}

#[test]
fn only_an_expired_session_comes_back() {
    let mut user = User::with_limit(1);
    user.policy.at_limit = AtLimit::EvictOldest;
    user.admitted("a");
    user.admitted("b");
    let now = user.now();
    assert_eq!(
        ending(user.beat("a")),
        (EndReason::Evicted, now, Some("b".to_owned()))
    );
    let replacing = Start {
        replaces: Some(id("b")),
        ..Start::new(id("c"))
    };
    user.run(&replacing);
    assert_eq!(
        ending(user.beat("b")),
        (EndReason::Terminated, now, Some("c".to_owned()))
    );
    user.stop("c");
    assert_eq!(ending(user.beat("c")), (EndReason::Stopped, now, None));
    user.admitted("d");
    user.run(&Stop {
        id: id("d"),
        reason: EndReason::Revoked,
    });
    assert_eq!(ending(user.beat("d")), (EndReason::Revoked, now, None));
    assert_eq!(user.live(), [""; 0]);
}

#[test]
fn an_ended_session_may_start_again() {
    let mut user = User::with_limit(1);
    let first = user.admitted("a");
    user.pass(1_000);
    user.stop("a");
    let second = user.admitted("a");
    assert!(second.started_at > first.started_at, "it is a new session");
    assert_eq!(user.ledger.ending_of(&id("a")), None);
}

#[test]
fn a_stop_leaves_an_ending_as_it_was() {
    let mut user = User::with_limit(1);
    user.policy.at_limit = AtLimit::EvictOldest;
    user.admitted("a");
    user.admitted("b");
    let evicted_at = user.now();
    user.pass(1_000);
    let StopOutcome::AlreadyEnded(ended) = user.stop("a") else {
        panic!("a was evicted");
    };
    assert_eq!(
        (ended.reason, ended.ended_at),
        (EndReason::Evicted, evicted_at)
    );
    assert_eq!(user.stop("never"), StopOutcome::Unknown);
}

#[test]
fn endings_are_forgotten_when_the_window_is_over() {
    let mut user = User::with_limit(2);
    user.admitted("a");
    user.stop("a");
    user.pass(1);
    user.admitted("b");
    user.stop("b");
    user.pass(user.window_ms() - 1);
    user.settle();
    let remembered: Vec<String> = user.ledger.ended.iter().map(|e| e.id.to_string()).collect();
    assert_eq!(remembered, ["b"]);
    user.pass(1);
    user.settle();
    assert_eq!(user.ledger, Ledger::default());
}

#[test]
fn without_a_window_nothing_is_remembered() {
    let (mut user, _) = expired_at();
    user.policy.revive_window = Seconds(0);
    assert_eq!(user.beat("a"), HeartbeatOutcome::Unknown);
    assert_eq!(user.ledger, Ledger::default());
}

#[test]
fn the_oldest_stopped_sessions_go_first_beyond_the_bound() {
    let mut user = User::with_limit(1);
    for i in 0..=STOPPED_ENDINGS_MAX {
        user.admitted(&format!("s{i}"));
        user.pass(1);
        user.stop(&format!("s{i}"));
    }
    assert_eq!(user.ledger.ended.len(), STOPPED_ENDINGS_MAX);
    assert_eq!(user.stop("s0"), StopOutcome::Unknown);
    assert!(matches!(user.stop("s1"), StopOutcome::AlreadyEnded(_)));
    assert!(matches!(user.stop("s64"), StopOutcome::AlreadyEnded(_)));
}

#[test]
fn stopped_sessions_push_out_no_revivable_one() {
    let (mut user, _) = expired_at();
    for i in 0..=STOPPED_ENDINGS_MAX {
        user.admitted(&format!("s{i}"));
        user.stop(&format!("s{i}"));
    }
    assert_eq!(user.ledger.ended.len(), STOPPED_ENDINGS_MAX + 1);
    assert!(matches!(user.beat("a"), HeartbeatOutcome::Revived { .. }));
}

/// A campus that loses its network comes back whole; the bound holds all the same.
#[test]
fn as_many_as_the_highest_limit_can_be_revived() {
    let max = u32::try_from(REVIVABLE_ENDINGS_MAX).expect("1,000");
    let mut user = User::with_limit(max);
    let start_all = |user: &mut User, prefix: &str, count: u32| {
        let now = user.now();
        let sessions = (0..count).map(|i| streamgate_core::Session {
            id: id(&format!("{prefix}{i}")),
            started_at: now,
            last_seen_at: now,
            expires_at: now.plus(user.policy.lease),
            lease: user.policy.lease,
            metadata: None,
        });
        user.ledger.live.extend(sessions);
    };
    start_all(&mut user, "a", max);
    user.pass(user.lease_ms());
    user.settle();
    assert_eq!(user.ledger.ended.len(), REVIVABLE_ENDINGS_MAX);
    assert_eq!(user.live(), [""; 0]);

    start_all(&mut user, "b", 2);
    user.pass(user.lease_ms());
    user.settle();
    assert_eq!(user.ledger.ended.len(), REVIVABLE_ENDINGS_MAX);
    assert_eq!(user.beat("a0"), HeartbeatOutcome::Unknown);
    for back in ["a2", "a999", "b0", "b1"] {
        assert!(
            matches!(user.beat(back), HeartbeatOutcome::Revived { .. }),
            "{back}"
        );
    }
}

#[test]
fn an_erased_user_leaves_only_what_its_players_must_hear() {
    let mut user = User::with_limit(2);
    user.admitted("a");
    user.stop("a");
    user.admitted("b");
    let decision = user.run(&EraseUser);
    assert_eq!(
        decision.outcome,
        Erased {
            revoked: 1,
            was_known: true
        }
    );
    assert_eq!(decision.durability(), Some(Durability::Durable));
    assert_eq!(user.beat("a"), HeartbeatOutcome::Unknown);
    let now = user.now();
    assert_eq!(ending(user.beat("b")), (EndReason::Revoked, now, None));
    assert!(!user.ledger.is_known());
    assert_eq!(
        user.run(&EraseUser).outcome,
        Erased {
            revoked: 0,
            was_known: false
        }
    );
    user.pass(user.window_ms());
    user.settle();
    assert_eq!(user.ledger, Ledger::default());
}

/// What a crash may take back, and what no call waits for.
#[test]
fn every_change_says_how_durable_it_must_be() {
    let mut user = User::with_limit(1);
    let started = user.run(&Start::new(id("a")));
    assert_eq!(started.durability(), Some(Durability::Durable));
    let renewed = user.run(&Heartbeat { id: id("a") });
    assert_eq!(renewed.durability(), Some(Durability::Memory));
    user.pass(user.lease_ms());
    let expired = user.run(&Settle);
    assert_eq!(expired.durability(), Some(Durability::Relaxed));
    let revived = user.run(&Heartbeat { id: id("a") });
    assert_eq!(revived.durability(), Some(Durability::Durable));
    let stopped = user.run(&Stop {
        id: id("a"),
        reason: EndReason::Stopped,
    });
    assert_eq!(stopped.durability(), Some(Durability::Durable));
    user.pass(user.window_ms());
    let forgotten = user.run(&Settle);
    assert_eq!(forgotten.durability(), Some(Durability::Memory));
    let nothing = user.run(&Settle);
    assert_eq!(nothing.durability(), None);
}

/// A session that was reported as stopped must not come back.
#[test]
fn an_expired_session_that_is_stopped_is_not_revived() {
    let (mut user, _) = expired_at();
    assert!(matches!(user.stop("a"), StopOutcome::AlreadyEnded(_)));
    let HeartbeatOutcome::Ended(ending) = user.beat("a") else {
        panic!("it came back");
    };
    assert_eq!(ending.reason, EndReason::Stopped);
    assert_eq!(user.live(), [""; 0]);
}

#[test]
fn an_expired_session_that_gave_way_is_not_revived_beside_its_successor() {
    for by_replacing in [true, false] {
        let (mut user, _) = expired_at();
        // Room for both, so that only the rule keeps the old one out.
        user.ledger.limit = Some(2);
        let mut start = Start::new(id("next"));
        if by_replacing {
            start.replaces = Some(id("a"));
        } else {
            start.terminate = vec![id("a")];
        }
        assert!(matches!(
            user.run(&start).outcome,
            StartOutcome::Admitted(_)
        ));
        let HeartbeatOutcome::Ended(ending) = user.beat("a") else {
            panic!("it came back beside its successor");
        };
        assert_eq!(ending.reason, EndReason::Terminated);
        assert_eq!(ending.taken_by, Some(id("next")));
        assert_eq!(user.live(), ["next"]);
    }
}

#[test]
fn a_refused_start_gives_up_nothing() {
    let (mut user, _) = expired_at();
    user.ledger.limit = Some(0);
    let mut start = Start::new(id("next"));
    start.replaces = Some(id("a"));
    assert!(matches!(user.run(&start).outcome, StartOutcome::Refused(_)));
    user.ledger.limit = Some(1);
    assert!(matches!(user.beat("a"), HeartbeatOutcome::Revived { .. }));
}

#[test]
fn every_player_of_a_large_user_that_is_erased_learns_it() {
    let mut user = User::with_limit(200);
    for i in 0..200 {
        user.admitted(&format!("s{i}"));
    }
    user.run(&EraseUser);
    for i in 0..200 {
        let HeartbeatOutcome::Ended(ending) = user.beat(&format!("s{i}")) else {
            panic!("s{i} is forgotten");
        };
        assert_eq!(ending.reason, EndReason::Revoked);
    }
}
