//! A policy that is replaced while the engine runs.

use std::sync::Arc;

use streamgate_core::Policy;
use streamgate_core::admission::{SessionsQuery, StartOutcome};

use crate::support::{faults, start, user, world};

#[tokio::test]
async fn calls_after_a_replaced_policy_are_decided_by_it_and_sessions_stay() {
    let world = world(faults([]));
    let engine = &world.engine;
    let limited = |default_limit| {
        Arc::new(Policy {
            default_limit,
            ..Policy::default()
        })
    };
    let admits = async |session| {
        let told = engine.start(&user("u"), &start(session)).await.unwrap();
        matches!(told.outcome, StartOutcome::Admitted(_))
    };
    engine.set_policy(limited(1));
    assert!(admits("a").await);
    assert!(!admits("b").await);
    engine.set_policy(limited(2));
    assert_eq!(engine.policy().default_limit, 2);
    assert!(admits("b").await);
    engine.set_policy(limited(1));
    assert!(!admits("c").await);
    let sessions = engine
        .sessions(&user("u"), &SessionsQuery::default())
        .await
        .unwrap();
    assert_eq!((sessions.limit, sessions.sessions.len()), (1, 2));
}
