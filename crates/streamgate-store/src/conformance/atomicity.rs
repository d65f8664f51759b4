//! Concurrent calls: no step overlaps another on the same key.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use crate::conformance::steps::{
    decided, in_parallel, increment, limit_in, put_limit, read_ledger, set_limit, start, user,
};
use crate::{Store, View};

/// Every one of many increments counts.
pub async fn parallel_steps_on_one_key_do_not_overlap(store: Arc<dyn Store>) {
    let done = in_parallel(&store, 200, |store, _| async move {
        increment(&*store, &user("counter")).await
    })
    .await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!(limit_in(&*store, &user("counter")).await, 200);
}

/// Of many starts at the same time, exactly as many are admitted as the limit allows.
pub async fn parallel_starts_admit_exactly_the_limit(store: Arc<dyn Store>) {
    for round in 0..20 {
        let admitted = in_parallel(&store, 50, |store, i| async move {
            start(&*store, &user(&format!("u{round}")), &format!("s{i}")).await
        })
        .await;
        assert_eq!(
            admitted.iter().filter(|yes| **yes).count(),
            3,
            "round {round}"
        );
        let ledger = read_ledger(&*store, &user(&format!("u{round}")))
            .await
            .expect("a record");
        assert_eq!(ledger.live.len(), 3);
    }
}

/// Writers of different keys do not lose each other's changes.
pub async fn parallel_keys_lose_nothing(store: Arc<dyn Store>) {
    let done = in_parallel(&store, 100, |store, i| async move {
        let key = user(&format!("u{}", i % 10));
        for _ in 0..10 {
            increment(&*store, &key).await?;
        }
        Ok::<_, crate::StoreError>(())
    })
    .await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    for i in 0..10 {
        assert_eq!(limit_in(&*store, &user(&format!("u{i}"))).await, 100);
    }
}

/// A dropped call leaves the old record or the new one.
pub async fn a_dropped_call_is_committed_or_not(store: Arc<dyn Store>) {
    for round in 1..=50 {
        let key = user(&format!("u{round}"));
        put_limit(&*store, &key, 1).await;
        let mut step = |view: View<'_>| decided(view, &set_limit(2)).0;
        let mut call = store.transact(&key, &mut step);
        let _ = Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop()));
        drop(call);
        let limit = limit_in(&*store, &key).await;
        assert!(limit == 1 || limit == 2, "{limit}");
        put_limit(&*store, &key, 3).await;
        assert_eq!(limit_in(&*store, &key).await, 3);
    }
}
