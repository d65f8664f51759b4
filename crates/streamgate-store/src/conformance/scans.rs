//! Scans and sweeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use streamgate_core::admission::ImportUser;
use streamgate_core::{Attributes, Seconds, SessionId, TenantId, UserKey};

use crate::conformance::steps::{
    decided, ledger_in, limit_in, put_limit, remove, run, set_limit, user, user_of,
};
use crate::{Cursor, PAGE_BYTES, Store, StoreError, View};

/// Reads a tenant to the end, and returns how often each key came; 1 for each if the store may
/// repeat.
async fn scan_all(store: &dyn Store, tenant: &str, page_size: usize) -> BTreeMap<String, u32> {
    let tenant = TenantId::new(tenant).expect("a tenant id");
    let mut seen = BTreeMap::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store
            .scan(&tenant, cursor.as_ref(), page_size)
            .await
            .expect("a page");
        assert!(page.records.len() <= page_size, "a page is no larger");
        let last = page.records.last().map_or(0, |(_, record)| record.len());
        let bytes: usize = page.records.iter().map(|(_, record)| record.len()).sum();
        // Four times as much, because a server may have a bound of its own.
        assert!(bytes - last < 4 * PAGE_BYTES, "a page of {bytes} bytes");
        for (key, record) in page.records {
            assert_eq!(key.tenant(), tenant.as_str());
            assert!(
                ledger_in(Some(&record)).limit.is_some(),
                "the record of {key:?}"
            );
            let times = seen.entry(key.user().to_owned()).or_default();
            *times = if store.scans_may_repeat() {
                1
            } else {
                *times + 1
            };
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return seen,
        }
    }
}

async fn put_users(store: &dyn Store, count: u32) {
    for i in 0..count {
        put_limit(store, &user(&format!("u{i}")), i).await;
    }
}

/// Every record comes once, whatever the size of a page.
pub async fn a_scan_reads_every_record_once(store: Arc<dyn Store>) {
    assert!(scan_all(&*store, "default", 10).await.is_empty());
    put_users(&*store, 100).await;
    for page_size in [1, 3, 7, 99, 100, 101, 1_000] {
        let seen = scan_all(&*store, "default", page_size).await;
        assert_eq!(seen.len(), 100, "page size {page_size}");
        assert!(
            seen.values().all(|times| *times == 1),
            "page size {page_size}: {seen:?}"
        );
    }
}

/// A page of large records ends early, and the scan goes on behind it.
pub async fn a_scan_has_pages_of_a_bounded_size(store: Arc<dyn Store>) {
    let import = ImportUser {
        // Records of more than 128 KB.
        sessions: (0..1_000)
            .map(|number| SessionId::new(&format!("{number:x>128}")).expect("a session id"))
            .collect(),
        lease: Seconds(90),
        profile: Attributes::default(),
    };
    for i in 0..10 {
        let key = user(&format!("u{i}"));
        put_limit(&*store, &key, 1_000).await;
        run(&*store, &key, &import).await.expect("a write");
    }
    put_limit(&*store, &user("small"), 1).await;
    for page_size in [1, 1_000] {
        let seen = scan_all(&*store, "default", page_size).await;
        assert_eq!(seen.len(), 11, "page size {page_size}");
        assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    }
}

/// A scan does not return records of another tenant.
pub async fn a_scan_reads_one_tenant_only(store: Arc<dyn Store>) {
    for (tenant, count) in [("default", 5), ("default2", 7), ("a", 3)] {
        for i in 0..count {
            put_limit(&*store, &user_of(tenant, &format!("u{i}")), 1).await;
        }
    }
    assert_eq!(scan_all(&*store, "default", 2).await.len(), 5);
    assert_eq!(scan_all(&*store, "default2", 2).await.len(), 7);
    assert_eq!(scan_all(&*store, "a", 2).await.len(), 3);
    assert!(scan_all(&*store, "nobody", 2).await.is_empty());
}

/// A cursor stays valid after its record was removed.
pub async fn a_scan_continues_after_its_last_record_was_removed(store: Arc<dyn Store>) {
    put_users(&*store, 20).await;
    let tenant = TenantId::default_tenant();
    let mut seen = BTreeSet::new();
    let mut cursor = None;
    loop {
        let page = store
            .scan(&tenant, cursor.as_ref(), 3)
            .await
            .expect("a page");
        for (key, _) in page.records {
            let is_new = seen.insert(key.user().to_owned());
            assert!(is_new || store.scans_may_repeat(), "{key:?} came twice");
            remove(&*store, &key).await;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 20);
    assert!(scan_all(&*store, "default", 3).await.is_empty());
}

/// Records that are added and removed meanwhile do not affect the others.
pub async fn a_scan_among_writers_reads_lasting_records_once(store: Arc<dyn Store>) {
    put_users(&*store, 200).await;
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for i in 0..500 {
                let key = user(&format!("passing{i}"));
                put_limit(&*store, &key, 1).await;
                remove(&*store, &key).await;
            }
        })
    };
    let seen = scan_all(&*store, "default", 9).await;
    writer.await.expect("the writer panicked");
    for i in 0..200 {
        assert_eq!(seen.get(&format!("u{i}")), Some(&1), "u{i}");
    }
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

/// A cursor that no scan made is an error, not a page and not a panic.
pub async fn a_foreign_cursor_is_refused(store: Arc<dyn Store>) {
    put_users(&*store, 3).await;
    for bytes in [vec![], vec![0xff], vec![0xff; 7], b"nonsense".to_vec()] {
        let cursor = Cursor(bytes);
        let answer = store
            .scan(&TenantId::default_tenant(), Some(&cursor), 2)
            .await;
        assert_eq!(
            answer.expect_err("no page").to_string(),
            StoreError::BadCursor.to_string()
        );
    }
}

/// A sweep runs its step on every record, unless the store expires records by itself. The step sees
/// the key of each record, and its changes are stored.
pub async fn a_sweep_visits_every_record_once_or_none(store: Arc<dyn Store>) {
    put_users(&*store, 100).await;
    let mut limits: Vec<u32> = Vec::new();
    let mut visited = 0;
    let mut cursor = None;
    loop {
        let mut step = |view: View<'_>| {
            let limit = ledger_in(view.record).limit.expect("a record has a limit");
            assert_eq!(*view.key, user(&format!("u{limit}")));
            limits.push(limit);
            decided(view, &set_limit(limit + 500)).0
        };
        let swept = store
            .sweep(cursor.as_ref(), 7, &mut step)
            .await
            .expect("a slice");
        visited += swept.visited;
        cursor = swept.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(limits.len(), visited);
    if visited == 0 {
        return;
    }
    limits.sort_unstable();
    assert_eq!(limits, (0..100).collect::<Vec<u32>>());
    for i in 0..100 {
        let key: UserKey = user(&format!("u{i}"));
        assert_eq!(limit_in(&*store, &key).await, i + 500);
    }
}
