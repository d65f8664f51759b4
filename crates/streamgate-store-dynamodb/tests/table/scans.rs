//! Scans beyond what DynamoDB reads in one go, and among other tenants.

use std::collections::BTreeMap;

use streamgate_core::{TenantId, UserId, UserKey};
use streamgate_store::versioned::{Version, VersionedStore};
use streamgate_store::{Cursor, StoreError};
use streamgate_store_dynamodb::DynamoDbStore;

use crate::support::{World, commit, user, world, write};

/// How often each user came, and how many pages it took.
async fn scan_all(store: &DynamoDbStore, page_size: usize) -> (BTreeMap<String, usize>, usize) {
    let tenant = TenantId::default_tenant();
    let (mut seen, mut pages) = (BTreeMap::new(), 0);
    let mut from: Option<Cursor> = None;
    loop {
        let page = store.scan(&tenant, from.as_ref(), page_size).await.unwrap();
        assert!(page.records.len() <= page_size);
        for (key, record) in page.records {
            assert_eq!(key.tenant(), "default");
            assert!(!record.is_empty());
            *seen.entry(key.user().to_owned()).or_default() += 1;
        }
        pages += 1;
        from = page.next;
        if from.is_none() {
            return (seen, pages);
        }
    }
}

#[tokio::test]
async fn a_scan_goes_on_behind_a_megabyte() {
    let World {
        server: _server,
        store,
    } = world().await;
    for i in 0..20 {
        let large = write(&vec![7; 200_000]);
        let key = user(&format!("u{i}"));
        commit(&store, &key, Version::NONE, &large)
            .await
            .unwrap()
            .unwrap();
    }
    let (seen, pages) = scan_all(&store, 1_000).await;
    assert_eq!(seen.len(), 20);
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    assert!(pages >= 4, "4 MB in {pages} pages");
}

#[tokio::test]
async fn a_page_of_other_tenants_only_is_empty_and_the_scan_goes_on() {
    let World {
        server: _server,
        store,
    } = world().await;
    let other = TenantId::new("default2").unwrap();
    for i in 0..50 {
        let id = UserId::new(format!("u{i}")).unwrap();
        let key = UserKey::new(&other, &id);
        commit(&store, &key, Version::NONE, &write(b"r"))
            .await
            .unwrap()
            .unwrap();
    }
    for i in 0..2 {
        let key = user(&format!("u{i}"));
        commit(&store, &key, Version::NONE, &write(b"r"))
            .await
            .unwrap()
            .unwrap();
    }
    let (seen, pages) = scan_all(&store, 5).await;
    assert_eq!(seen.len(), 2);
    assert!(pages > 2, "most of {pages} pages are empty");
}

/// With pages of one item, one of them ends at the mark, wherever the table's hash puts it.
#[tokio::test]
async fn a_page_that_ends_at_the_format_mark_is_followed_by_the_next() {
    let World {
        server: _server,
        store,
    } = world().await;
    assert_eq!(store.raise_format_mark(2).await, Ok(2));
    for i in 0..10 {
        let key = user(&format!("u{i}"));
        commit(&store, &key, Version::NONE, &write(b"r"))
            .await
            .unwrap()
            .unwrap();
    }
    let (seen, pages) = scan_all(&store, 1).await;
    assert_eq!(seen.len(), 10);
    assert!(pages >= 11, "{pages} pages");
}

#[tokio::test]
async fn a_cursor_stands_at_a_key_or_nowhere() {
    let World {
        server: _server,
        store,
    } = world().await;
    let tenant = TenantId::default_tenant();
    for bytes in [&b""[..], b"u", b"\0ready", b"\0", &[0xff; 9]] {
        let cursor = Cursor(bytes.to_vec());
        let answer = store.scan(&tenant, Some(&cursor), 2).await;
        assert!(
            matches!(answer, Err(StoreError::BadCursor)),
            "{bytes:?}: {answer:?}"
        );
    }
}
