//! Calls that end without their outcome: what was committed is reported, once.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::support::{World, faults, heartbeat, id, start, stop, user, world};
use streamgate_core::{Event, UserKey};
use streamgate_engine::{Answer, EngineObserver, Observers};
use streamgate_store::faults::Fault::{
    self, DelayAnswer, DelayRequest, LoseAnswer, LoseRequest, None as NoFault, Refuse,
};

const LONG: Duration = Duration::from_secs(3_600);

/// Lets the engine resolve calls without an outcome. The paused clock of the runtime advances by
/// itself.
async fn resolves(world: &World) {
    let engine = Arc::clone(&world.engine);
    tokio::select! {
        () = engine.resolve_forever() => panic!("it goes on for ever"),
        () = tokio::time::sleep(Duration::from_secs(30)) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_start_is_reported_if_it_was_committed() {
    for (fault, words) in [
        (DelayAnswer(LONG), vec!["started a"]),
        (DelayRequest(LONG), vec![]),
    ] {
        let world = world(faults([fault]));
        let (user, start) = (user("u"), start("a"));
        let mut call = Box::pin(world.engine.start(&user, &start));
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
        assert!(world.memo.words().is_empty());
        drop(call);
        assert_eq!(world.memo.words(), words, "{fault:?}");
        assert_eq!(world.live().await.len(), words.len(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_the_deadline_cuts_off_is_reported_if_it_was_committed() {
    for (plan, words) in [
        (vec![DelayAnswer(LONG)], vec!["started a"]),
        (vec![DelayRequest(LONG)], vec![]),
        (vec![LoseAnswer, DelayAnswer(LONG)], vec!["started a"]),
        (vec![LoseAnswer, DelayRequest(LONG)], vec!["started a"]),
        (vec![LoseRequest, DelayRequest(LONG)], vec![]),
    ] {
        let world = world(faults(plan.clone()));
        let told = world.engine.start(&user("u"), &start("a")).await;
        assert!(told.is_err(), "{plan:?}");
        resolves(&world).await;
        assert_eq!(world.memo.words(), words, "{plan:?}");
        assert_eq!(world.live().await.len(), words.len(), "{plan:?}");
        assert_eq!(world.engine.unresolved_calls(), 0, "{plan:?}");
    }
}

/// Everything that can be lost in the three runs of a start, and what happens before the call is
/// resolved.
#[tokio::test(start_paused = true)]
async fn a_start_whose_outcome_stays_unknown_is_reported_when_it_is_found_out() {
    let losses = [LoseRequest, LoseAnswer];
    for (first, second, third) in losses
        .iter()
        .flat_map(|one| losses.iter().map(move |two| (one, two)))
        .flat_map(|(one, two)| losses.iter().map(move |three| (one, two, three)))
    {
        for then in ["nothing", "stop", "expiry", "retry", "erasure", "away"] {
            let mut plan = vec![NoFault, *first, *second, *third];
            if then == "away" {
                plan.extend([Refuse; 4]);
            }
            let case = format!("{plan:?}, then {then}");
            // A request that is lost before the store has seen it leaves nothing to resolve.
            let in_doubt = usize::from(plan.contains(&LoseAnswer));
            let world = world(faults(plan));
            let (engine, user) = (&world.engine, user("u"));
            engine.start(&user, &start("before")).await.unwrap();
            engine.start(&user, &start("a")).await.unwrap_err();
            assert_eq!(world.memo.words(), ["started before"], "{case}");
            assert_eq!(engine.unresolved_calls(), in_doubt, "{case}");
            world.clock.advance(Duration::from_millis(5));
            match then {
                "stop" => drop(engine.stop(&user, &stop("a")).await.unwrap()),
                "retry" => drop(engine.start(&user, &start("a")).await.unwrap()),
                "erasure" => drop(engine.erase_user(&user).await.unwrap()),
                "expiry" => world.clock.advance(Duration::from_secs(90)),
                _ => {}
            }
            resolves(&world).await;
            assert_eq!(engine.unresolved_calls(), 0, "{case}");
            // Reports expired sessions. A store that was unavailable until now is back.
            while engine.sweep_all().await.is_err() {}
            let mut live = world.live().await;
            live.sort();
            assert_eq!(world.memo.live(), live, "{case}: {:?}", world.memo.words());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_or_an_expiry_whose_outcome_stays_unknown_is_reported_once() {
    for loss in [LoseRequest, LoseAnswer] {
        let world = world(faults([NoFault, NoFault, loss, loss, loss]));
        let (engine, user) = (&world.engine, user("u"));
        engine.start(&user, &start("a")).await.unwrap();
        world.clock.advance(Duration::from_secs(60));
        engine.start(&user, &start("b")).await.unwrap();
        // The session a has expired, and the stop of b finds that.
        world.clock.advance(Duration::from_secs(30));
        engine.stop(&user, &stop("b")).await.unwrap_err();
        resolves(&world).await;
        engine.sweep_all().await.unwrap();
        let mut words = world.memo.words();
        words[2..].sort();
        let all = ["started a", "started b", "expired a", "stopped b"];
        let made = if loss == LoseAnswer { 4 } else { 3 };
        assert_eq!(words, all[..made], "{loss:?}");
    }
}

/// A start that was admitted without the store is reported when the store admits it, and not again
/// by the call that was given up.
#[tokio::test(start_paused = true)]
async fn a_start_that_was_cut_off_and_then_adopted_is_reported_once() {
    for plan in [
        vec![DelayAnswer(LONG)],
        vec![DelayRequest(LONG)],
        vec![LoseAnswer; 3],
        vec![LoseRequest; 3],
    ] {
        let mut world = world(faults(plan.clone()));
        let engine = Arc::into_inner(world.engine).unwrap();
        world.engine = Arc::new(engine.fail_open(world.clock.clone()));
        let (engine, user) = (&world.engine, user("u"));
        let told = engine.start(&user, &start("a")).await.unwrap();
        assert!(told.is_degraded, "{plan:?}");
        world.clock.advance(Duration::from_secs(1));
        let told = engine.heartbeat(&user, &heartbeat("a")).await.unwrap();
        assert!(!told.is_degraded, "{plan:?}");
        resolves(&world).await;
        assert_eq!(world.memo.words(), ["started a"], "{plan:?}");
    }
}

/// Counts its calls.
#[derive(Debug, Default)]
struct Count(Mutex<[u32; 4]>);

impl Count {
    fn add(&self, at: usize) {
        self.0.lock().unwrap()[at] += 1;
    }
}

impl EngineObserver for Count {
    fn committed(&self, who: &UserKey, events: &[Event]) {
        assert_eq!(*who, user("u"));
        assert!(matches!(events, [Event::Started(session), ..] if session.id == id("a")));
        self.add(0);
    }

    fn answered(&self, _answer: Answer<'_>) {
        self.add(1);
    }

    fn reconciled(&self, _holds_slot: bool) {
        self.add(2);
    }

    fn outcome_unknown(&self) {
        self.add(3);
    }
}

#[tokio::test]
async fn several_observers_get_the_same_calls_and_no_renewals() {
    let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
    let observers = counts.clone().map(|one| one as Arc<dyn EngineObserver>);
    let clock = world(|| Fault::None).clock;
    let store = streamgate_store::faults::FaultyStore::new(
        streamgate_store::MemoryStore::new(clock),
        faults([LoseAnswer]),
    );
    let engine = streamgate_engine::Engine::new(
        Arc::new(store),
        Arc::default(),
        Arc::new(streamgate_engine::RandomIds),
        Arc::new(Observers::new(observers)),
        streamgate_engine::EngineSettings::default(),
    );
    engine.start(&user("u"), &start("a")).await.unwrap();
    engine.heartbeat(&user("u"), &heartbeat("a")).await.unwrap();
    for count in counts {
        assert_eq!(*count.0.lock().unwrap(), [1, 2, 0, 1]);
    }
}
