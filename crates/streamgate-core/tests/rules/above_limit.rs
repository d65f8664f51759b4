//! What becomes of live sessions when the limit is lowered: below them, and to 0.

use crate::support::{User, id, import, name};
use streamgate_core::admission::{
    Edit, HeartbeatOutcome, Heartbeats, ImportedSession, SetUser, Start, StartOutcome,
};
use streamgate_core::policy::Plan;
use streamgate_core::{AtLimit, EndReason, Ending, OverLimit};

/// A user with these sessions, each started a second after the one before.
fn watching(sessions: &[&str]) -> User {
    let mut user = User::with_limit(5);
    for session in sessions {
        user.admitted(session);
        user.pass(1_000);
    }
    user
}

fn set_limit(user: &mut User, limit: u32) {
    user.run(&SetUser {
        limit: Edit::Set(limit),
        ..SetUser::default()
    });
}

fn ending(outcome: HeartbeatOutcome) -> Ending {
    match outcome {
        HeartbeatOutcome::Ended(ending) => ending,
        other => panic!("it has not ended: {other:?}"),
    }
}

fn is_renewed(outcome: &HeartbeatOutcome) -> bool {
    matches!(outcome, HeartbeatOutcome::Renewed { .. })
}

#[test]
fn limit_0_ends_every_session_in_the_step_that_sets_it() {
    let mut user = watching(&["a", "b"]);
    set_limit(&mut user, 0);
    assert_eq!(user.live(), [""; 0]);
    let a = ending(user.beat("a"));
    assert_eq!((a.reason, a.ended_at), (EndReason::Revoked, user.now()));
    // Nor does it come back once the user may watch again.
    set_limit(&mut user, 5);
    assert_eq!(ending(user.beat("a")), a);
}

#[test]
fn a_plan_of_limit_0_ends_every_session_in_the_step_that_sets_it() {
    let mut user = watching(&["a"]);
    let blocked = Plan {
        limit: 0,
        at_limit: None,
    };
    user.policy.plans.insert(name("blocked"), blocked);
    user.run(&SetUser {
        plan: Edit::Set(name("blocked")),
        ..SetUser::default()
    });
    assert_eq!(ending(user.beat("a")).reason, EndReason::Revoked);
}

#[test]
fn limit_0_by_configuration_ends_every_session_with_the_next_heartbeat() {
    for over_limit in [OverLimit::Keep, OverLimit::EndNewest] {
        let mut user = watching(&["a", "b"]);
        user.policy.default_limit = 0;
        user.policy.over_limit = over_limit;
        assert_eq!(user.live(), ["a", "b"], "nothing has been decided yet");
        assert_eq!(ending(user.beat("b")).reason, EndReason::Revoked);
        assert_eq!(user.live(), [""; 0]);
    }
}

#[test]
fn limit_0_by_configuration_refuses_a_live_session_that_starts_again_and_ends_it() {
    let mut user = watching(&["a"]);
    user.policy.default_limit = 0;
    let StartOutcome::Refused(refused) = user.start("a") else {
        panic!("the user is blocked");
    };
    assert_eq!((refused.limit, refused.active), (0, 0));
    assert_eq!(ending(user.beat("a")).reason, EndReason::Revoked);
}

#[test]
fn a_lowered_limit_keeps_the_sessions_above_it_unless_the_policy_says_otherwise() {
    let mut user = watching(&["a", "b", "c"]);
    set_limit(&mut user, 1);
    for session in ["c", "b", "a"] {
        assert!(is_renewed(&user.beat(session)), "{session}");
    }
}

#[test]
fn a_session_above_a_lowered_limit_is_ended_at_its_next_heartbeat_and_no_other() {
    let mut user = watching(&["a", "b", "c", "d"]);
    user.policy.over_limit = OverLimit::EndNewest;
    set_limit(&mut user, 2);
    assert_eq!(
        user.live(),
        ["a", "b", "c", "d"],
        "each goes on until it calls"
    );
    assert!(is_renewed(&user.beat("a")));
    let c = ending(user.beat("c"));
    assert_eq!(
        (c.reason, c.ended_at, c.taken_by),
        (EndReason::Evicted, user.now(), None)
    );
    assert_eq!(user.live(), ["a", "b", "d"]);
    assert!(is_renewed(&user.beat("b")));
    assert_eq!(ending(user.beat("d")).reason, EndReason::Evicted);
    assert_eq!(user.live(), ["a", "b"]);
}

#[test]
fn a_session_that_is_within_the_limit_by_the_time_of_its_heartbeat_goes_on() {
    let mut user = watching(&["a", "b"]);
    user.policy.over_limit = OverLimit::EndNewest;
    set_limit(&mut user, 1);
    user.stop("a");
    assert!(is_renewed(&user.beat("b")));
}

#[test]
fn a_batch_ends_what_is_above_the_limit_and_renews_the_rest() {
    let mut user = watching(&["a", "b", "c"]);
    user.policy.over_limit = OverLimit::EndNewest;
    set_limit(&mut user, 1);
    let ids = ["c", "a", "b", "c"].map(id).to_vec();
    let decision = user.run(&Heartbeats { ids });
    let reasons: Vec<Option<EndReason>> = decision
        .outcome
        .into_iter()
        .map(|outcome| match outcome {
            HeartbeatOutcome::Ended(ending) => Some(ending.reason),
            _ => None,
        })
        .collect();
    let evicted = Some(EndReason::Evicted);
    assert_eq!(reasons, [evicted, None, evicted, evicted]);
    assert_eq!(user.live(), ["a"]);
}

#[test]
fn a_session_above_a_lowered_limit_that_starts_again_ends_and_starts_as_any_other() {
    let lowered = |at_limit| {
        let mut user = watching(&["a", "b"]);
        user.policy.over_limit = OverLimit::EndNewest;
        user.policy.at_limit = at_limit;
        set_limit(&mut user, 1);
        user
    };
    let mut user = lowered(AtLimit::DenyNew);
    let StartOutcome::Refused(refused) = user.start("b") else {
        panic!("a has the only slot");
    };
    assert_eq!((refused.active, &refused.conflict[0].id), (1, &id("a")));
    assert_eq!(user.live(), ["a"]);

    let mut user = lowered(AtLimit::EvictOldest);
    let StartOutcome::Admitted(admitted) = user.start("b") else {
        panic!("a makes room");
    };
    assert_eq!(admitted.session.started_at, user.now());
    assert_eq!(user.live(), ["b"]);
}

#[test]
fn an_import_ends_no_session_above_the_limit() {
    let mut user = watching(&["a", "b"]);
    user.policy.over_limit = OverLimit::EndNewest;
    set_limit(&mut user, 1);
    user.run(&import(&["b", "a"]));
    assert_eq!(user.live(), ["a", "b"]);
}

#[test]
fn an_import_at_limit_0_by_configuration_ends_every_session() {
    for over_limit in [OverLimit::Keep, OverLimit::EndNewest] {
        let mut user = watching(&["a", "b"]);
        user.policy.default_limit = 0;
        user.policy.over_limit = over_limit;
        let imported = user.run(&import(&["b", "c", "a"])).outcome;
        let revoked = ImportedSession::Ended(EndReason::Revoked);
        let expected = [revoked, ImportedSession::NoSlot, revoked];
        assert_eq!(imported.sessions, expected, "{over_limit:?}");
        assert_eq!((imported.limit, imported.active), (0, 0));
        assert_eq!(user.live(), [""; 0]);
        assert_eq!(ending(user.beat("a")).reason, EndReason::Revoked);
    }
}

#[test]
fn a_start_that_terminates_enough_of_the_sessions_above_the_limit_is_admitted() {
    let mut user = watching(&["a", "b", "c"]);
    user.policy.over_limit = OverLimit::EndNewest;
    set_limit(&mut user, 1);
    let start = Start {
        terminate: ["a", "b", "c"].map(id).to_vec(),
        ..Start::new(id("d"))
    };
    assert!(matches!(
        user.run(&start).outcome,
        StartOutcome::Admitted(_)
    ));
    assert_eq!(user.live(), ["d"]);
}
