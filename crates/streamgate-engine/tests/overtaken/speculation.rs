//! Speculative commits with lost answers.

use std::sync::Arc;
use std::time::Duration;

use streamgate_core::admission::{
    Edit, Erased, SetUser, SetUserOutcome, StartOutcome, StopOutcome,
};
use streamgate_core::{AtLimit, Attributes, EndReason, Policy, Seconds};
use streamgate_engine::{Engine, NewestStopped};

use crate::overtaken::store::{Lost, Race};
use crate::overtaken::{admitted, named, race, stopped, undisturbed};
use crate::support::{start, stop, user};

/// A node may commit on its cached record. If such a commit fails and its answer is lost, that says
/// nothing about the runs before it.
#[tokio::test]
async fn a_start_that_was_committed_is_answered_so_after_failed_speculative_runs() {
    for tries in 0..2 {
        let race = race(3, &[]).await;
        let clock = Arc::clone(&race.world.clock);
        race.lose(Lost::Answer, |_| async move {
            clock.advance(Duration::from_millis(5));
        });
        for _ in 0..tries {
            race.lose(Lost::Speculative, undisturbed);
        }
        let told = race.world.engine.start(&user("u"), &start("a")).await;
        let outcome = told.unwrap().outcome;
        assert!(
            matches!(&outcome, StartOutcome::Admitted(told) if told.active == 1),
            "{tries}: {outcome:?}"
        );
        assert_eq!(race.world.live().await, ["a"]);
        assert_eq!(race.world.memo.words(), ["started a"]);
    }
}

/// A node with a stale record: other calls have changed it since.
async fn overtaken_long_ago<F: Future<Output = ()>>(
    policy: Policy,
    watching: &[&str],
    others: impl FnOnce(Arc<Engine>) -> F,
) -> Race {
    let race = Race::new(policy);
    for session in watching {
        admitted(Arc::clone(&race.world.engine), session).await;
    }
    race.cache(&user("u")).await;
    race.world.clock.advance(Duration::from_millis(5));
    others(Arc::clone(&race.others)).await;
    race.world.clock.advance(Duration::from_millis(5));
    race.lose(Lost::Speculative, undisturbed);
    race
}

#[tokio::test]
async fn a_stop_whose_speculative_commit_failed_is_not_reported_as_stopped() {
    let policy = Policy::default();
    let race = overtaken_long_ago(policy, &["a"], |others| stopped(others, "a")).await;
    let outcome = race.world.engine.stop(&user("u"), &stop("a")).await;
    assert!(
        matches!(&outcome, Ok(StopOutcome::AlreadyEnded(e)) if e.reason == EndReason::Stopped),
        "{outcome:?}"
    );
    assert_eq!(race.world.memo.words(), ["started a"]);
}

/// Otherwise two calls would be answered with the same stop, although each asked for one.
#[tokio::test]
async fn a_stop_of_the_newest_whose_speculative_commit_failed_ends_the_next_session() {
    let race = race(3, &["a", "b"]).await;
    race.cache(&user("u")).await;
    let clock = Arc::clone(&race.world.clock);
    // The first run names b, which another call stops before the second run.
    race.pass().lose(Lost::Speculative, |others| async move {
        clock.advance(Duration::from_millis(5));
        others.stop_newest(&user("u")).await.unwrap();
    });
    let told = race.world.engine.stop_newest(&user("u")).await;
    assert_eq!(told, Ok(NewestStopped::Stopped { active: 0 }));
}

#[tokio::test]
async fn a_start_whose_speculative_commit_failed_reports_no_eviction() {
    let policy = Policy {
        default_limit: 1,
        at_limit: AtLimit::EvictOldest,
        evict_min_age: Seconds(0),
        ..Policy::default()
    };
    let race = overtaken_long_ago(policy, &["x"], |others| async move {
        stopped(Arc::clone(&others), "x").await;
        admitted(others, "a").await;
    })
    .await;
    let told = race.world.engine.start(&user("u"), &start("a")).await;
    let outcome = told.unwrap().outcome;
    assert!(
        matches!(outcome, StartOutcome::AlreadyLive(_)),
        "{outcome:?}"
    );
    assert_eq!(race.world.memo.words(), ["started x"]);
}

#[tokio::test]
async fn an_erasure_whose_speculative_commit_failed_ended_no_session() {
    let policy = Policy::default();
    let race = overtaken_long_ago(policy, &["a"], |others| async move {
        others.erase_user(&user("u")).await.unwrap();
    })
    .await;
    let told = race.world.engine.erase_user(&user("u")).await;
    let (revoked, was_known) = (0, false);
    assert_eq!(told, Ok(Erased { revoked, was_known }));
}

#[tokio::test]
async fn a_set_user_whose_speculative_commit_failed_shows_the_current_user() {
    let set = |limit: Edit<u32>, profile: Edit<Attributes>| SetUser {
        limit,
        profile,
        ..SetUser::default()
    };
    let policy = Policy::default();
    let race = overtaken_long_ago(policy, &["a"], |others| async move {
        let both = set(Edit::Set(5), Edit::Set(named("New")));
        others.run(&user("u"), &both).await.unwrap();
    })
    .await;
    let limit = set(Edit::Set(5), Edit::Keep);
    let told = race.world.engine.run(&user("u"), &limit).await;
    let told = told.unwrap();
    assert!(
        matches!(&told, SetUserOutcome::Set(view) if view.profile == named("New")),
        "{told:?}"
    );
}
