//! The engine over a table, on a manual clock: starts, heartbeats, stops, expiry, and the requests
//! that each call costs.

use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::ManualClock;
use streamgate_core::admission::{
    Heartbeat, HeartbeatOutcome, SessionsQuery, Start, StartOutcome, Stop, StopOutcome,
};
use streamgate_core::{EndReason, Policy, Seconds, SessionId, Timestamp};
use streamgate_engine::{Engine, EngineSettings, NoObserver, RandomIds};
use streamgate_store::versioned::Optimistic;
use streamgate_store_dynamodb::DynamoDbStore;
use streamgate_testkit::proxy::http::{Act, Proxy};

use crate::support::{TABLE, config, connect, raw, server_with_table, user};

const START_OF_TIME: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

async fn is_admitted(engine: &Engine, session: &str) -> bool {
    let outcome = engine.start(&user("u"), &Start::new(id(session))).await;
    matches!(outcome.unwrap().outcome, StartOutcome::Admitted(_))
}

async fn is_renewed(engine: &Engine, session: &str) -> bool {
    let heartbeat = Heartbeat { id: id(session) };
    let outcome = engine.heartbeat(&user("u"), &heartbeat).await;
    matches!(outcome.unwrap().outcome, HeartbeatOutcome::Renewed { .. })
}

fn engine(store: DynamoDbStore, policy: Policy) -> Engine {
    Engine::new(
        Arc::new(Optimistic::new(store)),
        Arc::new(policy),
        Arc::new(RandomIds),
        Arc::new(NoObserver),
        EngineSettings {
            deadline: Duration::from_secs(30),
            ..EngineSettings::default()
        },
    )
}

#[tokio::test]
async fn slots_are_taken_kept_given_back_and_run_out() {
    let server = server_with_table().await;
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let store = connect(&config(&server.url()))
        .await
        .with_clock(clock.clone())
        .without_comparing_clocks();
    let policy = Policy::default();
    let lease = Duration::from_secs(policy.lease.0.into());
    let engine = engine(store, policy);
    engine.check_ready().await.unwrap();
    for session in ["tv", "phone", "tablet"] {
        assert!(is_admitted(&engine, session).await);
    }
    assert!(!is_admitted(&engine, "laptop").await);

    let stop = Stop {
        id: id("phone"),
        reason: EndReason::Stopped,
    };
    let stopped = engine.stop(&user("u"), &stop).await.unwrap();
    assert_eq!(stopped, StopOutcome::Stopped);
    assert!(is_admitted(&engine, "laptop").await);

    // Only the television calls within the lease. Those that vanished hold their slots to its last
    // millisecond, and not beyond.
    clock.advance(lease - Duration::from_millis(1));
    assert!(is_renewed(&engine, "tv").await);
    assert!(!is_admitted(&engine, "phone 2").await);
    clock.advance(Duration::from_millis(1));
    assert!(is_admitted(&engine, "phone 2").await);
    assert!(is_admitted(&engine, "phone 3").await);
    assert!(!is_admitted(&engine, "phone 4").await);

    // The item may go once its last session is over and forgotten, and not before.
    let scan = raw(&server.url()).scan().table_name(TABLE).send();
    let items = scan.await.unwrap().items.unwrap();
    let garbage_at_s: u64 = items[0]["t"].as_n().unwrap().parse().unwrap();
    let over_ms = (START_OF_TIME.as_millis() + 2 * u64::try_from(lease.as_millis()).unwrap()) - 1;
    assert!(garbage_at_s * 1_000 >= over_ms, "{garbage_at_s}");

    clock.advance(2 * lease);
    let view = engine
        .sessions(&user("u"), &SessionsQuery::default())
        .await
        .unwrap();
    assert!(view.sessions.is_empty());
}

/// What is paid for: each request to DynamoDB.
#[tokio::test]
async fn requests_to_dynamodb_are_counted_for_each_kind_of_call() {
    let server = server_with_table().await;
    let proxy = Proxy::before(&server.url(), |_| Act::Pass).await;
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let store = connect(&config(proxy.url())).await;
    let lazy = Policy {
        heartbeat_write_interval: Seconds(60),
        ..Policy::default()
    };
    let engine = engine(
        store.with_clock(clock.clone()).without_comparing_clocks(),
        lazy,
    );
    let requests = || proxy.take_seen().len();
    // Reads the format mark, as the start of a server does.
    engine.check_ready().await.unwrap();
    requests();
    assert!(is_admitted(&engine, "tv").await);
    assert_eq!(requests(), 2);
    for (pass_s, paid) in [(30, 0), (29, 0), (1, 1), (59, 0), (1, 1)] {
        clock.advance(Duration::from_secs(pass_s));
        assert!(is_renewed(&engine, "tv").await);
        assert_eq!(requests(), paid, "{pass_s} s later");
    }
    for session in ["phone", "tablet"] {
        assert!(is_admitted(&engine, session).await);
        assert!(requests() <= 2);
    }
    assert!(!is_admitted(&engine, "laptop").await);
    assert_eq!(requests(), 1, "a refusal is read");
    let stop = Stop {
        id: id("tv"),
        reason: EndReason::Stopped,
    };
    assert_eq!(
        engine.stop(&user("u"), &stop).await,
        Ok(StopOutcome::Stopped)
    );
    assert!(requests() <= 2);
    assert!(
        !is_renewed(&engine, "tv").await,
        "it is not renewed from memory"
    );
}
