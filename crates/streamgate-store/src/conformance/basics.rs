//! One call after the other: a read returns what was written, and nothing else.

use std::sync::Arc;

use crate::conformance::steps::{
    decided, ledger_in, limit_in, put_limit, read_ledger, remove, run, set_limit, start, user,
    user_of,
};
use crate::{Store, Transaction, View};

/// A key that was never written has no record.
pub async fn a_key_never_written_has_no_record(store: Arc<dyn Store>) {
    assert_eq!(read_ledger(&*store, &user("nobody")).await, None);
}

/// A step sees what the last one left.
pub async fn a_change_is_seen_by_the_next_step(store: Arc<dyn Store>) {
    for limit in [1, 7, 1_000, 0, 3] {
        put_limit(&*store, &user("u"), limit).await;
        assert_eq!(limit_in(&*store, &user("u")).await, limit);
    }
}

/// A read changes nothing, with and without a record.
pub async fn a_step_that_returns_none_changes_nothing(store: Arc<dyn Store>) {
    put_limit(&*store, &user("u"), 5).await;
    for key in [user("u"), user("nobody")] {
        let before = read_ledger(&*store, &key).await;
        let mut runs = 0;
        let mut step = |_: View<'_>| {
            runs += 1;
            None
        };
        store.transact(&key, &mut step).await.expect("a read");
        assert!(runs >= 1, "the step was run");
        assert_eq!(read_ledger(&*store, &key).await, before);
    }
}

/// A removed record is gone, and can be written again.
pub async fn a_record_can_be_removed(store: Arc<dyn Store>) {
    let key = user("u");
    put_limit(&*store, &key, 5).await;
    remove(&*store, &key).await;
    assert_eq!(read_ledger(&*store, &key).await, None);
    remove(&*store, &key).await;
    put_limit(&*store, &key, 6).await;
    assert_eq!(limit_in(&*store, &key).await, 6);
}

/// Keys that look alike, that contain each other, of other tenants, of every length.
pub async fn keys_do_not_affect_each_other(store: Arc<dyn Store>) {
    let longest = "ü".repeat(128);
    let almost = format!("{}x", "ü".repeat(127));
    let keys = [
        user("a"),
        user("A"),
        user("aa"),
        user("a "),
        user(" a"),
        user("a/b"),
        user("a{b}"),
        user("a:b"),
        user("*"),
        user("default"),
        user(&longest),
        user(&almost),
        user_of("defaul", "t"),
        user_of("default2", "a"),
        user_of("a", "default"),
    ];
    for (key, limit) in keys.iter().zip(1..) {
        put_limit(&*store, key, limit).await;
    }
    for (key, limit) in keys.iter().zip(1..) {
        assert_eq!(limit_in(&*store, key).await, limit, "{key:?}");
    }
    remove(&*store, &keys[0]).await;
    for (key, limit) in keys.iter().zip(1..).skip(1) {
        assert_eq!(limit_in(&*store, key).await, limit, "{key:?}");
    }
}

/// The largest number of sessions that a user can have.
pub async fn a_record_of_a_thousand_sessions_is_kept(store: Arc<dyn Store>) {
    let key = user("campus");
    put_limit(&*store, &key, 1_000).await;
    for i in 0..1_000 {
        assert!(start(&*store, &key, &format!("session-{i}")).await);
    }
    assert!(!start(&*store, &key, "one too many").await);
    let ledger = read_ledger(&*store, &key).await.expect("a record");
    assert_eq!(ledger.live.len(), 1_000);
}

/// The time that the steps of one user see never goes backwards. Users may be on servers with
/// different clocks, and no decision is about two of them.
pub async fn time_does_not_go_backwards(store: Arc<dyn Store>) {
    let mut last = [None; 2];
    for limit in 0..200 {
        let (key, last) = match limit % 2 {
            0 => (user("even"), &mut last[0]),
            _ => (user("odd"), &mut last[1]),
        };
        let ran = run(&*store, &key, &set_limit(limit))
            .await
            .expect("a write");
        assert!(
            *last <= Some(ran.now.time),
            "{last:?} was followed by {:?}",
            ran.now
        );
        *last = Some(ran.now.time);
    }
}

/// A [`Transaction::Done`] has taken effect. A pending one takes effect before its answer, or not
/// at all if it is dropped before the step has run.
pub async fn a_transaction_that_is_done_has_taken_effect(store: Arc<dyn Store>) {
    for limit in 1..=20 {
        let key = user("u");
        let before = limit_in(&*store, &key).await;
        let mut runs = 0;
        let mut step = |view: View<'_>| {
            runs += 1;
            decided(view, &set_limit(limit)).0
        };
        let done = match store.transact(&key, &mut step) {
            Transaction::Done(answer) => Some(answer),
            Transaction::Pending(answer) if limit % 2 == 0 => Some(answer.await),
            Transaction::Pending(_) => None,
        };
        match done {
            Some(answer) => answer.expect("a change"),
            None if runs == 0 => {
                assert_eq!(limit_in(&*store, &key).await, before, "nothing was begun");
                put_limit(&*store, &key, limit).await;
            }
            // It was begun; the cases about dropped calls test its outcome.
            None => put_limit(&*store, &key, limit).await,
        }
        assert_eq!(limit_in(&*store, &key).await, limit);
        let mut seen = None;
        let mut look = |view: View<'_>| {
            seen = ledger_in(view.record).limit;
            None
        };
        let read = match store.transact(&key, &mut look) {
            Transaction::Done(answer) => Some(answer),
            Transaction::Pending(_) => None,
        };
        if let Some(answer) = read {
            answer.expect("a read");
            assert_eq!(seen, Some(limit), "the last change is seen");
        }
    }
}
