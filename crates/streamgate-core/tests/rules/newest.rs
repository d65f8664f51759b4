//! Stopping the newest session: which one it is, and that one call never ends two.

use crate::support::{User, id, newest};
use streamgate_core::admission::{HeartbeatOutcome, StopNewest, StopNewestOutcome, StopOutcome};
use streamgate_core::{EndReason, Ending};

/// Asks which session is the newest and stops that one, as the engine does.
fn stop_newest(user: &mut User) -> StopNewestOutcome {
    match user.run(&StopNewest::default()).outcome {
        StopNewestOutcome::NewestIs { newest, .. } => {
            let expected = Some(newest);
            user.run(&StopNewest { expected }).outcome
        }
        none_live => none_live,
    }
}

fn watching(sessions: &[&str]) -> User {
    let mut user = User::with_limit(5);
    for session in sessions {
        user.admitted(session);
        user.pass(1);
    }
    user
}

#[test]
fn sessions_go_from_the_newest_to_the_oldest_and_then_none_is_left() {
    let mut user = watching(&["a", "b", "c"]);
    for (active, left) in [(2, &["a", "b"][..]), (1, &["a"]), (0, &[])] {
        assert_eq!(
            stop_newest(&mut user),
            StopNewestOutcome::Stopped { active }
        );
        assert_eq!(user.live(), left);
    }
    let none = StopNewestOutcome::NoneLive {
        is_known: true,
        was_stopped: false,
    };
    assert_eq!(stop_newest(&mut user), none);
}

#[test]
fn a_user_is_known_until_what_it_watched_is_forgotten() {
    let none = |is_known| StopNewestOutcome::NoneLive {
        is_known,
        was_stopped: false,
    };
    let mut user = User::with_limit(5);
    assert_eq!(stop_newest(&mut user), none(false));
    user.admitted("a");
    stop_newest(&mut user);
    user.pass(user.window_ms() - 1);
    assert_eq!(stop_newest(&mut user), none(true));
    user.pass(1);
    assert_eq!(stop_newest(&mut user), none(false));
    user.ledger.limit = Some(2);
    assert_eq!(stop_newest(&mut user), none(true));
}

#[test]
fn it_is_a_stop_like_any_other() {
    let mut user = watching(&["a"]);
    stop_newest(&mut user);
    let ended = Ending {
        id: id("a"),
        ended_at: user.now(),
        reason: EndReason::Stopped,
        taken_by: None,
        session: None,
    };
    assert_eq!(user.beat("a"), HeartbeatOutcome::Ended(ended.clone()));
    assert_eq!(user.stop("a"), StopOutcome::AlreadyEnded(ended));
}

#[test]
fn of_two_that_started_together_the_later_call_is_the_newer_session() {
    let mut user = User::with_limit(5);
    user.admitted("b");
    user.admitted("a");
    stop_newest(&mut user);
    assert_eq!(user.live(), ["b"]);
}

#[test]
fn the_last_start_is_the_newest_also_after_a_clock_was_set_back() {
    let mut user = watching(&["a"]);
    user.set_back(3_600_000);
    user.admitted("b");
    user.set_back(1);
    user.admitted("c");
    stop_newest(&mut user);
    assert_eq!(user.live(), ["a", "b"]);
    stop_newest(&mut user);
    assert_eq!(user.live(), ["a"]);
}

/// It plays on where it was, so it is as old as it was.
#[test]
fn a_session_that_came_back_is_not_the_newest_for_that() {
    let mut user = watching(&["a"]);
    user.pass(user.lease_ms());
    user.admitted("b");
    assert!(matches!(user.beat("a"), HeartbeatOutcome::Revived { .. }));
    stop_newest(&mut user);
    assert_eq!(user.live(), ["a"]);
}

#[test]
fn a_session_whose_lease_is_over_is_not_the_newest() {
    let mut user = watching(&["a", "b"]);
    user.pass(user.lease_ms() - 2);
    user.beat("a");
    user.pass(1);
    let active = 0;
    assert_eq!(
        stop_newest(&mut user),
        StopNewestOutcome::Stopped { active }
    );
    assert!(matches!(user.beat("b"), HeartbeatOutcome::Revived { .. }));
}

#[test]
fn a_session_that_is_not_the_newest_any_more_is_left_alone() {
    let mut user = watching(&["a", "b"]);
    let command = newest(&user);
    user.admitted("c");
    let decision = user.run(&command);
    assert_eq!(decision.events, []);
    let StopNewestOutcome::NewestIs {
        newest,
        was_stopped,
    } = decision.outcome
    else {
        panic!("c is the newest: {:?}", decision.outcome);
    };
    assert_eq!((newest.id, was_stopped), (id("c"), false));
}

#[test]
fn the_same_call_twice_ends_one() {
    let mut user = watching(&["a", "b", "c"]);
    let command = newest(&user);
    user.run(&command);
    let again = user.run(&command);
    assert_eq!(again.events, []);
    let StopNewestOutcome::NewestIs {
        newest,
        was_stopped,
    } = again.outcome
    else {
        panic!("b is the newest: {:?}", again.outcome);
    };
    assert_eq!((newest.id, was_stopped), (id("b"), true));
    assert_eq!(user.live(), ["a", "b"]);
}

/// A name alone would not do: its second session is not the one that was to be stopped.
#[test]
fn a_session_that_started_again_is_another_one() {
    let mut user = watching(&["a"]);
    let command = newest(&user);
    user.stop("a");
    user.admitted("a");
    assert_eq!(user.run(&command).events, []);
    assert_eq!(user.live(), ["a"]);
}

#[test]
fn a_heartbeat_makes_no_other_session_of_it() {
    let mut user = watching(&["a"]);
    let command = newest(&user);
    user.pass(1_000);
    user.beat("a");
    let active = 0;
    assert_eq!(
        user.run(&command).outcome,
        StopNewestOutcome::Stopped { active }
    );
}
