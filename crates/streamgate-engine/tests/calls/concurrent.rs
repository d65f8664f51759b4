//! Concurrent calls over one store: their answers together equal what happened.

use std::sync::Arc;

use crate::support::{World, faults, id, start, user, world};
use streamgate_core::admission::{
    Edit, ImportUser, ImportedSession, ResetUser, SetUser, StartOutcome,
};
use streamgate_core::{Attributes, Seconds};
use streamgate_engine::{Engine, NewestStopped};
use tokio::task::JoinSet;

/// A user with this limit and the live sessions `s0`, `s1` and so on.
async fn watching(limit: u32, sessions: usize) -> World {
    let world = world(faults([]));
    let set = SetUser {
        limit: Edit::Set(limit),
        ..SetUser::default()
    };
    world.engine.run(&user("u"), &set).await.unwrap();
    for i in 0..sessions {
        assert!(is_admitted(&world.engine, &format!("s{i}")).await);
    }
    world
}

async fn is_admitted(engine: &Engine, session: &str) -> bool {
    let outcome = engine.start(&user("u"), &start(session)).await;
    outcome.is_ok_and(|told| matches!(told.outcome, StartOutcome::Admitted(_)))
}

/// Runs `count` calls concurrently.
async fn all_at_once<T, F>(
    world: &World,
    callers: usize,
    call: impl Fn(Arc<Engine>, usize) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(tokio::sync::Barrier::new(callers));
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let call = call(Arc::clone(&world.engine), caller);
        let barrier = Arc::clone(&barrier);
        tasks.spawn(async move {
            barrier.wait().await;
            call.await
        });
    }
    tasks.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_stops_of_the_newest_end_one_session_each_and_report_each_count_once() {
    for (callers, sessions) in [(1, 0), (8, 3), (8, 8), (5, 20), (40, 20)] {
        let world = watching(100, sessions).await;
        let told = all_at_once(&world, callers, |engine, _| async move {
            engine.stop_newest(&user("u")).await.unwrap()
        })
        .await;
        let mut left = Vec::new();
        for answer in told {
            match answer {
                NewestStopped::Stopped { active } => left.push(active as usize),
                NewestStopped::NoneLive { is_known } => assert!(is_known),
            }
        }
        left.sort_unstable();
        let ended = callers.min(sessions);
        let expected: Vec<usize> = (sessions - ended..sessions).collect();
        assert_eq!(left, expected, "{callers} callers, {sessions} sessions");
        assert_eq!(world.live().await.len(), sessions - ended);
        assert_eq!(world.memo.gauge(), sessions - ended);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_starts_and_stops_of_the_newest_none_is_lost() {
    let world = watching(10, 5).await;
    // Every second call starts a session of its own, the others stop the newest.
    let told = all_at_once(&world, 40, |engine, caller| async move {
        if caller % 2 == 0 {
            i32::from(is_admitted(&engine, &format!("n{caller}")).await)
        } else {
            let outcome = engine.stop_newest(&user("u")).await.unwrap();
            -i32::from(matches!(outcome, NewestStopped::Stopped { .. }))
        }
    })
    .await;
    let left = usize::try_from(5 + told.iter().sum::<i32>()).unwrap();
    assert_eq!(world.live().await.len(), left);
    assert_eq!(world.memo.gauge(), left);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_imports_fill_the_limit_and_no_more() {
    let world = watching(7, 2).await;
    let told = all_at_once(&world, 10, |engine, caller| async move {
        let sessions = (0..3).map(|i| id(&format!("i{caller}-{i}"))).collect();
        let import = ImportUser {
            sessions,
            lease: Seconds(3_600),
            profile: Attributes::default(),
        };
        engine.run(&user("u"), &import).await.unwrap()
    })
    .await;
    assert!(told.iter().all(|import| import.active <= 7));
    let sessions = told.iter().flat_map(|import| &import.sessions);
    let started = sessions.filter(|session| **session == ImportedSession::Started);
    assert_eq!((started.count(), world.live().await.len()), (5, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_resets_each_session_is_ended_by_one() {
    let world = watching(10, 6).await;
    let told = all_at_once(&world, 8, |engine, _| async move {
        let reset = ResetUser::default();
        engine.reset_user(&user("u"), &reset).await.unwrap()
    })
    .await;
    assert_eq!(told.iter().map(|reset| reset.revoked).sum::<u32>(), 6);
    assert_eq!((world.live().await.len(), world.memo.gauge()), (0, 0));
}
