//! Scans and sweeps across many shards, restarts and other tenants.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{NOON, contents, key_of, open, run, session, start, with_mode};
use streamgate_clock::ManualClock;
use streamgate_core::TenantId;
use streamgate_core::admission::{SetUser, Settle, Start};
use streamgate_core::codec::decode_ledger;
use streamgate_core::{Policy, SessionMetadata, decide};
use streamgate_store::{Change, Store, View};
use streamgate_store_embedded::{DurabilityMode, EmbeddedStore, NoLogObserver};
use tempfile::tempdir;

/// All keys of a tenant, read with pages of these sizes in turn.
async fn page_keys(store: &EmbeddedStore, tenant: &str, sizes: &[usize]) -> Vec<String> {
    let tenant = TenantId::new(tenant).unwrap();
    let (mut keys, mut cursor) = (Vec::new(), None);
    for size in sizes.iter().cycle() {
        let page = store.scan(&tenant, cursor.as_ref(), *size).await.unwrap();
        assert!(page.records.len() <= *size);
        keys.extend(page.records.iter().map(|(key, _)| key.user().to_owned()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    keys
}

#[tokio::test]
async fn the_order_is_the_same_with_every_page_size_and_after_a_restart() {
    let dir = tempdir().unwrap();
    let store = open(with_mode(dir.path(), DurabilityMode::Os)).unwrap();
    for user in 0..5_000 {
        let tenant = if user % 50 == 0 { "small" } else { "default" };
        let key = key_of(tenant, &format!("user-{user}"));
        run(&store, &key, &Start::new(session("a"))).await.unwrap();
    }
    let all = page_keys(&store, "default", &[1_000]).await;
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4_900);
    assert_eq!(page_keys(&store, "default", &[1, 7, 300]).await, all);
    assert_eq!(page_keys(&store, "small", &[3]).await.len(), 100);
    assert_eq!(page_keys(&store, "nobody", &[3]).await.len(), 0);
    let default = TenantId::default_tenant();
    let first = store.scan(&default, None, 1_234).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = open(with_mode(dir.path(), DurabilityMode::Os)).unwrap();
    assert_eq!(page_keys(&store, "default", &[500]).await, all);
    let second = store.scan(&default, first.next.as_ref(), 5).await.unwrap();
    let keys: Vec<&str> = second.records.iter().map(|(key, _)| key.user()).collect();
    assert_eq!(keys, all[1_234..1_239]);
}

#[tokio::test]
async fn a_sweep_ends_what_is_over_and_frees_memory() {
    let dir = tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOON));
    let hook = Arc::new(|error| panic!("{error}"));
    let config = with_mode(dir.path(), DurabilityMode::Os);
    let store = EmbeddedStore::open(config, clock.clone(), Arc::new(NoLogObserver), hook).unwrap();
    for user in 0..2_000 {
        start(&store, &format!("user-{user}"), "a").await.unwrap();
    }
    let policy = Policy::default();
    let mut step = |view: View<'_>| {
        let ledger = decode_ledger(view.record?).unwrap();
        let decision = decide(ledger, &policy, &Settle, view.now);
        Change::of(&decision, &policy)
    };
    // The first round ends the sessions, the second forgets them.
    for (advance_s, left) in [(100, 2_000), (3_600, 0)] {
        clock.advance(Duration::from_secs(advance_s));
        let (mut visited, mut cursor) = (0, None);
        loop {
            let swept = store.sweep(cursor.as_ref(), 300, &mut step).await.unwrap();
            assert!(swept.visited <= 300);
            visited += swept.visited;
            cursor = swept.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((visited, store.record_count()), (2_000, Some(left)));
    }
    assert!(contents(&store).await.is_empty());
}

#[tokio::test]
async fn a_record_larger_than_a_segment_comes_back() {
    let dir = tempdir().unwrap();
    let store = open(with_mode(dir.path(), DurabilityMode::Fsync)).unwrap();
    let metadata = |n: usize| {
        let name = streamgate_core::ids::Name::new("x".repeat(256)).unwrap();
        SessionMetadata {
            device_id: Some(name.clone()),
            device_name: Some(name.clone()),
            content_id: (n.is_multiple_of(2)).then_some(name),
            ..SessionMetadata::default()
        }
    };
    let ids: Vec<_> = (0..100).map(|n| session(&format!("session-{n}"))).collect();
    for (n, id) in ids.iter().enumerate() {
        let start = Start {
            metadata: Some(metadata(n).into()),
            ..Start::new(id.clone())
        };
        run(&store, &key_of("default", "user"), &start)
            .await
            .unwrap();
    }
    let profile = SetUser::default();
    run(&store, &key_of("default", "user"), &profile)
        .await
        .unwrap();
    let before = contents(&store).await;
    drop(store);
    let store = open(with_mode(dir.path(), DurabilityMode::Fsync)).unwrap();
    assert_eq!(contents(&store).await, before);
    assert_eq!(before["user"].0.len(), 100);
}
