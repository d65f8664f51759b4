//! Lost requests and answers, with other calls in between: an answer must say what was committed,
//! and counts must equal the record.

mod speculation;
mod store;

use std::sync::Arc;
use std::time::Duration;

use streamgate_core::admission::{
    Edit, Erased, HeartbeatOutcome, IfKnown, ImportUser, ImportedSession, ResetUser, SetUser,
    StartOutcome, StopOutcome, WithSessions, user_of,
};
use streamgate_core::{AtLimit, Attributes, EndReason, Policy, Seconds};
use streamgate_engine::{Engine, NewestStopped};

use self::store::{Lost, Race};
use crate::support::{heartbeat, id, start, stop, user};

const LEASE: Duration = Duration::from_secs(90);

/// A user with this limit and these live sessions, started through the engine that will lose calls.
async fn race(limit: u32, watching: &[&str]) -> Race {
    let policy = Policy {
        default_limit: limit,
        ..Policy::default()
    };
    let race = Race::new(policy);
    for session in watching {
        admitted(Arc::clone(&race.world.engine), session).await;
    }
    race
}

async fn admitted(engine: Arc<Engine>, session: &str) {
    let told = engine.start(&user("u"), &start(session)).await.unwrap();
    assert!(
        matches!(told.outcome, StartOutcome::Admitted(_)),
        "{session}: {told:?}"
    );
}

async fn stopped(engine: Arc<Engine>, session: &str) {
    let outcome = engine.stop(&user("u"), &stop(session)).await.unwrap();
    assert_eq!(outcome, StopOutcome::Stopped, "{session}");
}

async fn undisturbed(_: Arc<Engine>) {}

fn import(sessions: &[&str]) -> ImportUser {
    ImportUser {
        sessions: sessions.iter().map(|text| id(text)).collect(),
        lease: Seconds(3_600),
        profile: Attributes::default(),
    }
}

fn named(name: &str) -> Attributes {
    Attributes::new([("name".into(), name.into())].into()).unwrap()
}

#[tokio::test]
async fn a_lost_start_that_was_overtaken_is_refused() {
    let race = race(3, &[]).await;
    race.lose(Lost::Request, |others| async move {
        for session in ["x", "y", "z"] {
            admitted(Arc::clone(&others), session).await;
        }
    });
    let told = race.world.engine.start(&user("u"), &start("a")).await;
    assert!(matches!(told.unwrap().outcome, StartOutcome::Refused(_)));
    assert_eq!(race.world.live().await, ["x", "y", "z"]);
    assert_eq!(race.world.memo.words(), [""; 0]);
}

/// Two calls start one session: both are answered that it is admitted, and it takes one slot.
#[tokio::test]
async fn a_start_that_another_call_made_meanwhile_takes_one_slot() {
    for lost in [Lost::Request, Lost::Answer] {
        let race = race(3, &[]).await;
        race.lose(lost, move |others| async move {
            let outcome = others.start(&user("u"), &start("a")).await.unwrap().outcome;
            let is_live = matches!(outcome, StartOutcome::AlreadyLive(_));
            assert_eq!(is_live, lost == Lost::Answer, "{outcome:?}");
        });
        let told = race.world.engine.start(&user("u"), &start("a")).await;
        let outcome = told.unwrap().outcome;
        assert!(
            matches!(&outcome, StartOutcome::Admitted(told) if told.active == 1),
            "{lost:?}: {outcome:?}"
        );
        assert_eq!(race.world.live().await, ["a"], "{lost:?}");
    }
}

/// The second run found a free slot, and that is the answer.
#[tokio::test]
async fn of_two_unresolved_runs_the_later_one_is_the_answer() {
    let policy = Policy {
        default_limit: 2,
        at_limit: AtLimit::EvictOldest,
        evict_min_age: Seconds(0),
        ..Policy::default()
    };
    let race = Race::new(policy);
    for session in ["x", "y"] {
        admitted(Arc::clone(&race.world.engine), session).await;
    }
    race.lose(Lost::Request, |others| stopped(others, "x"))
        .lose(Lost::Answer, undisturbed);
    let told = race.world.engine.start(&user("u"), &start("a")).await;
    let StartOutcome::Admitted(told) = told.unwrap().outcome else {
        panic!("there is room");
    };
    assert_eq!(told.evicted, [], "x was stopped, not evicted");
    assert_eq!(
        race.world.memo.words(),
        ["started x", "started y", "started a"]
    );
}

#[tokio::test]
async fn a_start_if_known_of_a_user_that_was_erased_meanwhile_is_not_admitted() {
    for lost in [Lost::Request, Lost::Answer] {
        let race = race(3, &["x"]).await;
        race.lose(lost, |others| async move {
            others.erase_user(&user("u")).await.unwrap();
        });
        let outcome = race
            .world
            .engine
            .start(&user("u"), &IfKnown(start("a")))
            .await;
        assert_eq!(outcome, Ok(None.into()), "{lost:?}");
        assert_eq!(race.world.live().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_start_with_sessions_whose_answer_was_lost_lists_them_as_of_that_run() {
    let race = race(3, &["x"]).await;
    race.lose(Lost::Answer, |others| admitted(others, "y"));
    let answer = race
        .world
        .engine
        .start(&user("u"), &WithSessions(start("a")))
        .await;
    let (outcome, view) = answer.unwrap().outcome;
    assert!(
        matches!(&outcome, StartOutcome::Admitted(told) if told.active == 2),
        "{outcome:?}"
    );
    let listed: Vec<String> = view.iter().map(|session| session.id.to_string()).collect();
    assert_eq!(listed, ["x", "a"], "the list is that of the same moment");
}

#[tokio::test]
async fn a_lost_stop_of_a_session_that_was_evicted_says_so() {
    let policy = Policy {
        default_limit: 1,
        at_limit: AtLimit::EvictOldest,
        evict_min_age: Seconds(0),
        ..Policy::default()
    };
    let race = Race::new(policy);
    admitted(Arc::clone(&race.world.engine), "a").await;
    race.lose(Lost::Request, |others| admitted(others, "b"));
    let outcome = race.world.engine.stop(&user("u"), &stop("a")).await;
    assert!(
        matches!(&outcome, Ok(StopOutcome::AlreadyEnded(e)) if e.reason == EndReason::Evicted),
        "{outcome:?}"
    );
    assert_eq!(race.world.memo.words(), ["started a"]);
}

#[tokio::test]
async fn a_stop_of_the_newest_ends_one_wherever_an_answer_or_a_request_is_lost() {
    use Lost::{Answer, Request};
    for look in [vec![], vec![Request], vec![Answer], vec![Answer, Request]] {
        for stop in [
            vec![],
            vec![Request],
            vec![Answer],
            vec![Request, Request],
            vec![Request, Answer],
            vec![Answer, Request],
            vec![Answer, Answer],
        ] {
            let race = race(3, &["a", "b", "c"]).await;
            for lost in &look {
                race.lose(*lost, undisturbed);
            }
            race.pass();
            for lost in &stop {
                race.lose(*lost, undisturbed);
            }
            let told = race.world.engine.stop_newest(&user("u")).await;
            let case = format!("{look:?}, then {stop:?}");
            assert_eq!(told, Ok(NewestStopped::Stopped { active: 2 }), "{case}");
            assert_eq!(race.world.live().await, ["a", "b"], "{case}");
            let words = race.world.memo.words();
            assert_eq!(words[3..], ["stopped c"], "{case}");
        }
    }
}

/// The first run was overtaken; the call still ends the session that is the newest by then.
#[tokio::test]
async fn a_stop_of_the_newest_that_a_start_overtook_ends_the_new_one() {
    let race = race(3, &["a", "b"]).await;
    race.pass()
        .lose(Lost::Request, |others| admitted(others, "c"));
    let told = race.world.engine.stop_newest(&user("u")).await;
    assert_eq!(told, Ok(NewestStopped::Stopped { active: 2 }));
    assert_eq!(race.world.live().await, ["a", "b"]);
    let words = race.world.memo.words();
    assert_eq!(words[2..], ["stopped c"]);
}

#[tokio::test]
async fn a_stop_of_the_newest_that_was_committed_ends_no_session_started_since() {
    let race = race(3, &["a", "b"]).await;
    race.pass()
        .lose(Lost::Answer, |others| admitted(others, "c"));
    let told = race.world.engine.stop_newest(&user("u")).await;
    assert_eq!(told, Ok(NewestStopped::Stopped { active: 1 }));
    assert_eq!(race.world.live().await, ["a", "c"]);
    let words = race.world.memo.words();
    assert_eq!(words[2..], ["stopped b"]);
}

#[tokio::test]
async fn two_stops_of_the_newest_end_two_sessions_when_an_answer_is_lost() {
    let race = race(3, &["a", "b", "c"]).await;
    race.pass().lose(Lost::Answer, |others| async move {
        let told = others.stop_newest(&user("u")).await;
        assert_eq!(told, Ok(NewestStopped::Stopped { active: 1 }));
    });
    let told = race.world.engine.stop_newest(&user("u")).await;
    assert_eq!(told, Ok(NewestStopped::Stopped { active: 2 }));
    assert_eq!(race.world.live().await, ["a"]);
}

/// The record does not tell which call stopped the session. Ending one session too few is safer
/// than one too many.
#[tokio::test]
async fn a_lost_stop_of_the_newest_that_another_overtook_ends_no_second_session() {
    let race = race(3, &["a", "b", "c"]).await;
    race.pass().lose(Lost::Request, |others| async move {
        others.stop_newest(&user("u")).await.unwrap();
    });
    let told = race.world.engine.stop_newest(&user("u")).await;
    assert_eq!(told, Ok(NewestStopped::Stopped { active: 2 }));
    assert_eq!(race.world.live().await, ["a", "b"]);
}

#[tokio::test]
async fn a_stop_of_the_newest_that_an_erasure_overtook_finds_no_session() {
    let race = race(3, &["a", "b"]).await;
    race.pass().lose(Lost::Request, |others| async move {
        others.erase_user(&user("u")).await.unwrap();
    });
    let told = race.world.engine.stop_newest(&user("u")).await;
    let is_known = false;
    assert_eq!(told, Ok(NewestStopped::NoneLive { is_known }));
}

#[tokio::test]
async fn an_import_that_was_overtaken_reports_each_session() {
    use ImportedSession::{NoSlot, Started};
    for (lost, expected, watching) in [
        (Lost::Request, [NoSlot, NoSlot], ["x", "y", "rival"]),
        (Lost::Answer, [Started, NoSlot], ["x", "y", "a"]),
    ] {
        let race = race(3, &["x", "y"]).await;
        race.lose(lost, |others| async move {
            others.start(&user("u"), &start("rival")).await.unwrap();
        });
        let import = import(&["a", "b"]);
        let told = race.world.engine.run(&user("u"), &import).await;
        assert_eq!(told.unwrap().sessions, expected, "{lost:?}");
        assert_eq!(race.world.live().await, watching, "{lost:?}");
    }
}

#[tokio::test]
async fn an_import_of_a_profile_that_another_call_set_first_reports_no_profile() {
    let race = race(3, &[]).await;
    race.lose(Lost::Request, |others| async move {
        let profile = Edit::Set(named("New"));
        let set = SetUser {
            profile,
            ..SetUser::default()
        };
        others.run(&user("u"), &set).await.unwrap();
    });
    let import = ImportUser {
        profile: named("Old"),
        ..import(&[])
    };
    let told = race.world.engine.run(&user("u"), &import).await;
    assert!(!told.unwrap().has_profile);
}

#[tokio::test]
async fn a_reset_that_a_start_overtook_ends_that_session_too() {
    for (lost, revoked) in [(Lost::Request, 2), (Lost::Answer, 1)] {
        let race = race(3, &["a"]).await;
        race.lose(lost, |others| admitted(others, "late"));
        let reset = ResetUser::default();
        let told = race.world.engine.reset_user(&user("u"), &reset).await;
        let was_known = true;
        assert_eq!(told, Ok(Erased { revoked, was_known }), "{lost:?}");
        assert_eq!(race.world.live().await, [""; 0]);
        assert_eq!(race.world.engine.user(&user("u"), user_of).await, Ok(None));
    }
}

#[tokio::test]
async fn a_reset_whose_answer_was_lost_says_what_it_ended() {
    let race = race(3, &["a", "b"]).await;
    race.lose(Lost::Answer, undisturbed)
        .lose(Lost::Answer, undisturbed);
    let told = race
        .world
        .engine
        .reset_user(&user("u"), &ResetUser::default())
        .await;
    let (revoked, was_known) = (2, true);
    assert_eq!(told, Ok(Erased { revoked, was_known }));
    let words = race.world.memo.words();
    assert_eq!(words[2..], ["revoked a", "revoked b"]);
}

/// An observer gets an expiry once, whatever was lost of the call that found it.
#[tokio::test]
async fn an_expiry_that_an_unresolved_run_found_is_reported_once() {
    for plan in [
        vec![Lost::Request],
        vec![Lost::Answer],
        vec![Lost::Request, Lost::Answer],
        vec![Lost::Answer, Lost::Request],
    ] {
        let race = race(3, &["a"]).await;
        race.world.clock.advance(LEASE);
        for lost in &plan {
            race.lose(*lost, undisturbed);
        }
        let outcome = race
            .world
            .engine
            .heartbeat(&user("u"), &heartbeat("x"))
            .await;
        assert_eq!(outcome, Ok(HeartbeatOutcome::Unknown.into()));
        let words = race.world.memo.words();
        assert_eq!(words, ["started a", "expired a"], "{plan:?}");
    }
}
