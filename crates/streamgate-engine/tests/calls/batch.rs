//! A batch of heartbeats: one decision and one commit for each user.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use crate::support::{
    START_OF_TIME, World, calls_until_seen, faults, heartbeat, id, start, stop, user, world,
    world_over,
};
use streamgate_clock::ManualClock;
use streamgate_core::admission::{Heartbeat, HeartbeatOutcome, Start};
use streamgate_core::{Attributes, Policy, SessionMetadata, UserKey};
use streamgate_engine::EngineError;
use streamgate_store::decorator::{Intercept, Intercepted};
use streamgate_store::faults::Fault;
use streamgate_store::{MemoryStore, Step, Store, Transaction};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

/// A memory store that counts its calls.
struct Counted {
    store: MemoryStore,
    calls: Arc<AtomicUsize>,
    answers: Answers,
}

/// When a [`Counted`] answers.
#[derive(Debug, Clone, Copy)]
enum Answers {
    /// At once, as the memory store does.
    AtOnce,
    /// After it has waited, and run the step then.
    Later,
    /// After it has run the step, and waited then, as for a disk.
    BehindTheStep,
}

impl Intercept for Counted {
    fn inner(&self) -> &dyn Store {
        &self.store
    }

    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match self.answers {
            Answers::AtOnce => self.store.transact(key, step),
            Answers::Later => Transaction::Pending(Box::pin(async move {
                tokio::task::yield_now().await;
                self.store.transact(key, step).await
            })),
            Answers::BehindTheStep => {
                let transaction = self.store.transact(key, step);
                Transaction::Pending(Box::pin(async move {
                    tokio::task::yield_now().await;
                    transaction.await
                }))
            }
        }
    }
}

fn counted(answers: Answers) -> (World, Arc<AtomicUsize>) {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let calls = Arc::new(AtomicUsize::new(0));
    let store = Counted {
        store: MemoryStore::new(clock.clone()),
        calls: Arc::clone(&calls),
        answers,
    };
    let policy = Policy {
        default_limit: 1_000,
        ..Policy::default()
    };
    (
        world_over(Arc::new(Intercepted(store)), clock, policy),
        calls,
    )
}

fn beat(name: &str, session: &str) -> (UserKey, Heartbeat) {
    (user(name), heartbeat(session))
}

/// The answers, each as a word, with the session's name if the answer has it.
fn words(told: &[Result<HeartbeatOutcome, EngineError>]) -> Vec<String> {
    let word = |told: &Result<HeartbeatOutcome, EngineError>| match told {
        Ok(HeartbeatOutcome::Renewed { .. }) => "renewed".to_owned(),
        Ok(HeartbeatOutcome::Revived { .. }) => "revived".to_owned(),
        Ok(HeartbeatOutcome::Ended(ending)) => format!("ended {}", ending.id),
        Ok(HeartbeatOutcome::Unknown) => "unknown".to_owned(),
        Err(error) => error.to_string(),
    };
    told.iter().map(word).collect()
}

/// A thousand sessions of one user are one decision, not a thousand.
#[tokio::test]
async fn a_batch_asks_the_store_once_for_each_user() {
    for answers in [Answers::AtOnce, Answers::Later, Answers::BehindTheStep] {
        let (world, calls) = counted(answers);
        let mut batch = Vec::new();
        for number in 0..1_000 {
            let session = format!("s{number}");
            let start = start(&session);
            world.engine.start(&user("crowd"), &start).await.unwrap();
            batch.push(beat("crowd", &session));
        }
        for name in ["u", "v"] {
            world.engine.start(&user(name), &start("a")).await.unwrap();
            batch.insert(500, beat(name, "a"));
        }
        calls.store(0, Ordering::Relaxed);
        let told = world.engine.heartbeats(&batch, |told| told.outcome).await;
        assert_eq!(calls.load(Ordering::Relaxed), 3, "{answers:?}");
        assert_eq!(words(&told), vec!["renewed"; 1_002]);
    }
}

#[tokio::test]
async fn the_answers_are_in_the_order_of_the_entries_whatever_their_users() {
    for answers in [Answers::AtOnce, Answers::Later, Answers::BehindTheStep] {
        let (world, _) = counted(answers);
        for name in ["u", "v"] {
            for session in ["live", "stopped"] {
                let start = start(session);
                world.engine.start(&user(name), &start).await.unwrap();
            }
            world
                .engine
                .stop(&user(name), &stop("stopped"))
                .await
                .unwrap();
        }
        let batch = [
            beat("u", "stopped"),
            beat("v", "live"),
            beat("u", "live"),
            beat("w", "live"),
            beat("v", "never"),
            beat("u", "live"),
            beat("v", "stopped"),
        ];
        let told = world.engine.heartbeats(&batch, |told| told.outcome).await;
        let expected = [
            "ended stopped",
            "renewed",
            "renewed",
            "unknown",
            "unknown",
            "renewed",
            "ended stopped",
        ];
        assert_eq!(words(&told), expected, "{answers:?}");
    }
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_run_again() {
    let world = world(faults([Fault::None, Fault::None, Fault::LoseAnswer]));
    for session in ["a", "b"] {
        world
            .engine
            .start(&user("u"), &start(session))
            .await
            .unwrap();
    }
    world.clock.advance(std::time::Duration::from_secs(100));
    let batch = [beat("u", "a"), beat("u", "b"), beat("u", "a")];
    let told = world.engine.heartbeats(&batch, |told| told.outcome).await;
    assert_eq!(words(&told), ["revived", "revived", "renewed"]);
    assert_eq!(world.memo.unknown(), 1);
    assert_eq!(world.memo.gauge(), 2);
}

#[tokio::test]
async fn a_store_that_fails_fails_every_entry_of_the_user() {
    let world = world(faults([Fault::None, Fault::Refuse]));
    world.engine.start(&user("u"), &start("a")).await.unwrap();
    let batch = [beat("u", "a"), beat("u", "b")];
    let told = world.engine.heartbeats(&batch, |told| told.outcome).await;
    assert!(
        told.iter()
            .all(|told| matches!(told, Err(EngineError::Unavailable(_)))),
        "{told:?}"
    );
    assert_eq!(told.len(), 2);
    assert_eq!(batch[1].1.id, id("b"));
}

/// A start with as much metadata as a session can have.
fn large(session: &str) -> Start {
    let entries = (0..16).map(|key| (format!("{key:064}").into(), "v".repeat(256).into()));
    let metadata = SessionMetadata {
        attributes: Attributes::new(entries.collect()).unwrap(),
        ..SessionMetadata::default()
    };
    Start {
        metadata: Some(metadata.into()),
        ..start(session)
    }
}

/// The batch never waits for anything, so it has to yield by itself.
#[tokio::test(flavor = "current_thread")]
async fn a_batch_of_large_records_yields_to_other_tasks() {
    for answers in [Answers::AtOnce, Answers::BehindTheStep] {
        large_records_yield(answers).await;
    }
}

async fn large_records_yield(answers: Answers) {
    const USERS: usize = 40;
    const RECORD_BYTES: usize = 20 * 16 * (64 + 256);
    let (world, _) = counted(answers);
    let mut batch = Vec::new();
    for number in 0..USERS {
        let name = format!("u{number}");
        for session in 0..20 {
            let start = large(&format!("s{session}"));
            world.engine.start(&user(&name), &start).await.unwrap();
        }
        batch.push(beat(&name, "s0"));
        batch.push(beat(&name, "s1"));
    }
    let (mut turns, mut done) = (0, false);
    let batch = world.engine.heartbeats(&batch, |told| told.outcome);
    let mut batch = std::pin::pin!(batch);
    while !done {
        done = poll_once(batch.as_mut()).await;
        turns += 1;
    }
    let expected = USERS * RECORD_BYTES / (1 << 20);
    assert!(
        turns >= expected,
        "{turns} turns, at least {expected} expected"
    );
}

/// The heartbeats of a crowd keep a thread for long, and requests come by sockets, which a thread
/// polls between tasks, but not after each task.
#[tokio::test(flavor = "current_thread")]
async fn sockets_are_polled_between_the_crowds_of_many_batches() {
    let (world, calls) = counted(Answers::AtOnce);
    let mut clients = JoinSet::new();
    for number in 0..20 {
        let name = format!("u{number}");
        let mut batch = Vec::new();
        for session in 0..64 {
            let session = format!("s{session}");
            world
                .engine
                .start(&user(&name), &start(&session))
                .await
                .unwrap();
            batch.push(beat(&name, &session));
        }
        let engine = Arc::clone(&world.engine);
        clients.spawn(async move {
            loop {
                let told = engine.heartbeats(&batch, |told| told.outcome).await;
                assert!(told.iter().all(Result::is_ok));
                // The next request of this client.
                tokio::task::yield_now().await;
            }
        });
    }
    let sockets = UnixStream::pair().unwrap();
    let (mut most, begun) = (0, calls.load(Ordering::Relaxed));
    while calls.load(Ordering::Relaxed) < begun + 100 {
        most = most.max(calls_until_seen(&sockets, &calls).await);
    }
    assert!(most <= 3, "{most} crowds before a request was seen");
}

/// Polls a future once. `true` if it has ended.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}
