//! The optimistic adapter, over a server that is a map: alone, and as two nodes that share it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use streamgate_core::admission::{Start, StartOutcome};
use streamgate_core::{SessionId, TenantId, UserId, UserKey};
use streamgate_store::conformance::run;
use streamgate_store::versioned::{Committed, Loaded, Optimistic, Version, VersionedStore, Write};
use streamgate_store::{BoxFuture, Clock as _, Cursor, Page, Store, StoreError, SystemClock};

/// What it keeps of each key.
type Records = BTreeMap<Box<[u8]>, (Version, Vec<u8>)>;

/// A server that is a map.
#[derive(Debug, Default)]
struct Map {
    clock: SystemClock,
    records: Mutex<Records>,
}

impl Map {
    fn loaded(&self, record: Option<&(Version, Vec<u8>)>) -> Loaded {
        Loaded {
            record: record.map(|(_, bytes)| bytes.clone()),
            version: record.map_or(Version::NONE, |(version, _)| *version),
            now: self.clock.now(),
        }
    }
}

/// A node's way to it: it gives way to others wherever a network would.
#[derive(Debug)]
struct Node(Arc<Map>);

impl VersionedStore for Node {
    fn load<'a>(&'a self, key: &'a UserKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let records = self.0.records.lock();
            Ok(self.0.loaded(records.get(key.as_bytes())))
        })
    }

    fn commit<'a>(
        &'a self,
        key: &'a UserKey,
        expected: Version,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut records = self.0.records.lock();
            let current = self.0.loaded(records.get(key.as_bytes()));
            if current.version != expected {
                return Ok(Committed::Conflict(current));
            }
            match &write.record {
                Some(bytes) => {
                    let written = (write.version, bytes.clone());
                    records.insert(key.as_bytes().into(), written);
                }
                None => {
                    records.remove(key.as_bytes());
                }
            }
            Ok(Committed::Done)
        })
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let after = match from {
                None => None,
                Some(cursor) => Some(UserKey::from_bytes(&cursor.0).ok_or(StoreError::BadCursor)?),
            };
            let records = self.0.records.lock();
            let page: Vec<(UserKey, Vec<u8>)> = records
                .iter()
                .map(|(key, (_, bytes))| (UserKey::from_bytes(key).unwrap(), bytes.clone()))
                .filter(|(key, _)| key.tenant() == tenant.as_str())
                .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
                .take(page_size)
                .collect();
            let last = page.last().filter(|_| page.len() == page_size);
            let next = last.map(|(key, _)| Cursor(key.as_bytes().to_vec()));
            Ok(Page {
                records: page,
                next,
                now: self.0.clock.now(),
            })
        })
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

async fn open() -> Arc<dyn Store> {
    Arc::new(Optimistic::new(Node(Arc::default())))
}

streamgate_store::conformance_suite!(open);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_a_server_admit_exactly_the_limit() {
    let map = Arc::<Map>::default();
    let nodes = [0; 4].map(|_| Arc::new(Optimistic::new(Node(Arc::clone(&map)))));
    let user = UserKey::new(&TenantId::default_tenant(), &UserId::new("u").unwrap());
    let mut starts = Vec::new();
    for i in 0..200 {
        let (node, user) = (Arc::clone(&nodes[i % 4]), user.clone());
        starts.push(tokio::spawn(async move {
            let start = Start::new(SessionId::new(&format!("s{i}")).unwrap());
            let ran = run(&*node, &user, &start).await.unwrap();
            matches!(ran.outcome, StartOutcome::Admitted(_))
        }));
    }
    let mut admitted = 0;
    for start in starts {
        admitted += u32::from(start.await.unwrap());
    }
    assert_eq!(admitted, 3);
}

#[test]
fn versions_differ_and_are_never_that_of_no_record() {
    let versions: Vec<Version> = (0..1_000).map(|_| Version::fresh()).collect();
    for (i, version) in versions.iter().enumerate() {
        assert_ne!(*version, Version::NONE);
        assert!(!versions[i + 1..].contains(version));
        assert_eq!(Version::from_bytes(version.as_bytes()), Some(*version));
    }
    for bytes in [&[][..], &[0; 8], &[1; 7], &[1; 9]] {
        assert_eq!(Version::from_bytes(bytes), None);
    }
}
