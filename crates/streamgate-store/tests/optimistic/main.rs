//! The optimistic adapter, over a server that is a map: alone, and as two nodes that share it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use streamgate_core::admission::{Start, StartOutcome, Stop};
use streamgate_core::{Durability, EndReason, SessionId, TenantId, Timestamp, UserId, UserKey};
use streamgate_store::conformance::run;
use streamgate_store::versioned::{Committed, Loaded, Optimistic, Version, VersionedStore, Write};
use streamgate_store::{
    BoxFuture, Change, Clock as _, Cursor, Page, Store, StoreError, SystemClock, View,
};

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
struct Node {
    map: Arc<Map>,
    /// Whether the node may take the time from its own clock, which is the map's.
    has_clock: bool,
    loads: AtomicUsize,
    commits: AtomicUsize,
}

impl Node {
    fn over(map: &Arc<Map>, has_clock: bool) -> Self {
        Self {
            map: Arc::clone(map),
            has_clock,
            loads: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
        }
    }

    /// How often the server was asked since the last time, to load and to commit.
    fn calls(&self) -> (usize, usize) {
        let taken = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        (taken(&self.loads), taken(&self.commits))
    }
}

impl VersionedStore for Node {
    fn load<'a>(&'a self, key: &'a UserKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        Box::pin(async move {
            self.loads.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let records = self.map.records.lock();
            Ok(self.map.loaded(records.get(key.as_bytes())))
        })
    }

    fn commit<'a>(
        &'a self,
        key: &'a UserKey,
        expected: Version,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            self.commits.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let mut records = self.map.records.lock();
            let current = self.map.loaded(records.get(key.as_bytes()));
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
            let records = self.map.records.lock();
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
                now: self.map.clock.now(),
            })
        })
    }

    fn local_now(&self) -> Option<Timestamp> {
        self.has_clock.then(|| self.map.clock.now())
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

mod with_the_servers_clock {
    use super::*;

    async fn open() -> Arc<dyn Store> {
        Arc::new(Optimistic::new(Node::over(&Arc::default(), false)))
    }

    streamgate_store::conformance_suite!(open);
}

mod with_a_clock_of_its_own {
    use super::*;

    async fn open() -> Arc<dyn Store> {
        Arc::new(Optimistic::new(Node::over(&Arc::default(), true)))
    }

    streamgate_store::conformance_suite!(open);
}

fn user() -> UserKey {
    UserKey::new(&TenantId::default_tenant(), &UserId::new("u").unwrap())
}

fn start(session: &str) -> Start {
    Start::new(SessionId::new(session).unwrap())
}

/// Writes something else than what is there.
async fn change(node: &Optimistic<Node>) {
    let mut step = |view: View<'_>| {
        let mut record = view.record.unwrap_or_default().to_vec();
        record.push(1);
        Some(Change {
            record: Some(record),
            delta: Vec::new(),
            durability: Durability::Durable,
            garbage_at: None,
        })
    };
    node.transact(&user(), &mut step).await.unwrap();
}

/// The length of the record, as a read sees it.
async fn length(node: &Optimistic<Node>) -> usize {
    let mut length = 0;
    let mut step = |view: View<'_>| {
        length = view.record.unwrap_or_default().len();
        None
    };
    node.transact(&user(), &mut step).await.unwrap();
    length
}

/// The length of what the node remembers, if it does.
fn recalled(node: &Optimistic<Node>) -> Option<usize> {
    let mut length = None;
    let found = node.recall(&user(), &mut |view| length = view.record.map(<[u8]>::len));
    assert_eq!(found, length.is_some());
    length
}

#[tokio::test]
async fn a_node_that_writes_alone_commits_without_a_load_and_still_reads_what_is_there() {
    let map = Arc::<Map>::default();
    let node = Optimistic::new(Node::over(&map, true));
    change(&node).await;
    assert_eq!(
        node.remote().calls(),
        (1, 1),
        "there was nothing to remember"
    );
    change(&node).await;
    change(&node).await;
    assert_eq!(node.remote().calls(), (0, 2));
    assert_eq!(length(&node).await, 3);
    assert_eq!(
        node.remote().calls(),
        (1, 0),
        "a read is never answered from memory"
    );
    assert_eq!(recalled(&node), Some(3));
    assert_eq!(node.remote().calls(), (0, 0));
}

#[tokio::test]
async fn what_another_node_wrote_is_found_out_and_the_next_commit_loads_again() {
    let map = Arc::<Map>::default();
    let [node, other] = [0; 2].map(|_| Optimistic::new(Node::over(&map, true)));
    change(&node).await;
    change(&node).await;
    change(&other).await;
    node.remote().calls();
    change(&node).await;
    assert_eq!(
        node.remote().calls(),
        (0, 2),
        "one in vain, which brought what is there"
    );
    assert_eq!(length(&other).await, 4, "nothing was lost");
    assert_eq!(
        recalled(&other),
        Some(3),
        "as it was when that node wrote it"
    );
    node.remote().calls();
    change(&node).await;
    assert_eq!(node.remote().calls(), (1, 1), "it is not alone any more");
    change(&node).await;
    assert_eq!(node.remote().calls(), (0, 1), "and now it is");
}

#[tokio::test]
async fn where_the_server_has_the_time_every_step_asks_it_and_nothing_is_remembered() {
    let node = Optimistic::new(Node::over(&Arc::default(), false));
    for _ in 0..3 {
        change(&node).await;
    }
    assert_eq!(node.remote().calls(), (3, 3));
    assert_eq!(recalled(&node), None);
}

#[tokio::test]
async fn a_refusal_rests_on_what_is_there_now() {
    let map = Arc::<Map>::default();
    let [node, other] = [0; 2].map(|_| Optimistic::new(Node::over(&map, true)));
    for session in ["a", "b", "c"] {
        run(&node, &user(), &start(session)).await.unwrap();
    }
    let id = SessionId::new("a").unwrap();
    let reason = EndReason::Stopped;
    run(&other, &user(), &Stop { id, reason }).await.unwrap();
    // By what the node remembers, every slot is taken.
    let ran = run(&node, &user(), &start("d")).await.unwrap();
    assert!(matches!(ran.outcome, StartOutcome::Admitted(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_a_server_admit_exactly_the_limit() {
    let map = Arc::<Map>::default();
    let nodes = [0, 1, 2, 3].map(|n| Arc::new(Optimistic::new(Node::over(&map, n % 2 == 0))));
    let mut starts = Vec::new();
    for i in 0..200 {
        let node = Arc::clone(&nodes[i % 4]);
        starts.push(tokio::spawn(async move {
            let start = start(&format!("s{i}"));
            let ran = run(&*node, &user(), &start).await.unwrap();
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
