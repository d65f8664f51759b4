//! A server that is a map, and nodes' connections to it, which suspend wherever a network would:
//! before and after each request takes effect.

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use streamgate_clock::{Clock as _, ManualClock};
use streamgate_core::{TenantId, UserKey};
use streamgate_store::versioned::{Committed, Loaded, Speculation, Version, VersionedStore, Write};
use streamgate_store::{BoxFuture, Cursor, Page, StoreError};

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Nothing,
    Request,
    Answer,
    /// The request arrives long after the node gave it up.
    Late,
}

/// When a node's commits are speculative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speculates {
    Never,
    IfSoleWriter,
    Always,
}

/// A server that is a map.
#[derive(Debug)]
pub(crate) struct Server {
    clock: Arc<ManualClock>,
    records: Mutex<BTreeMap<UserKey, (Version, Vec<u8>)>>,
    /// Commits that have not arrived yet: the key, the expected version, and the write.
    late: Mutex<Vec<(UserKey, Version, Write)>>,
    format_mark: Mutex<Option<u32>>,
    hides_format_mark: AtomicBool,
}

impl Server {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            records: Mutex::default(),
            late: Mutex::default(),
            format_mark: Mutex::default(),
            hides_format_mark: AtomicBool::new(false),
        }
    }

    /// Sets the format mark.
    pub(crate) fn mark(&self, format: u32) {
        *self.format_mark.lock().unwrap() = Some(format);
    }

    /// Refuses to tell the format mark, or does not any more.
    pub(crate) fn hide_mark(&self, hides: bool) {
        self.hides_format_mark.store(hides, Ordering::SeqCst);
    }

    /// The bytes of a record.
    pub(crate) fn record(&self, key: &UserKey) -> Option<Vec<u8>> {
        let records = self.records.lock().unwrap();
        records.get(key).map(|(_, record)| record.clone())
    }

    /// Overwrites the bytes of a record; returns those before.
    pub(crate) fn overwrite(&self, key: &UserKey, record: Vec<u8>) -> Vec<u8> {
        let mut records = self.records.lock().unwrap();
        let (_, stored) = records.get_mut(key).expect("there is a record");
        std::mem::replace(stored, record)
    }

    /// Delivers the commits that have not arrived yet.
    pub(crate) fn let_arrive(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        for (key, expected, write) in late {
            self.commit(&key, expected, &write);
        }
    }

    fn load(&self, key: &UserKey) -> Loaded {
        let records = self.records.lock().unwrap();
        let found = records.get(key).cloned();
        let (version, record) = found.map_or((Version::NONE, None), |(v, r)| (v, Some(r)));
        Loaded {
            record,
            version,
            now: self.clock.now(),
        }
    }

    fn commit(&self, key: &UserKey, expected: Version, write: &Write) -> Committed {
        let current = self.load(key);
        if current.version == write.version {
            return Committed::Done;
        }
        if current.version != expected {
            return Committed::Conflict(current);
        }
        match (
            self.records.lock().unwrap().entry(key.clone()),
            &write.record,
        ) {
            (entry, Some(record)) => drop(entry.insert_entry((write.version, record.clone()))),
            (Entry::Occupied(entry), None) => drop(entry.remove()),
            (Entry::Vacant(_), None) => {}
        }
        Committed::Done
    }
}

type Others = BoxFuture<'static, ()>;

/// A node's connection to the server.
pub(crate) struct Node {
    server: Arc<Server>,
    speculates: Speculates,
    /// What becomes of the next commits.
    pub(crate) losses: Mutex<VecDeque<Loss>>,
    /// What another node does before the next commit arrives.
    pub(crate) others: Mutex<Option<Others>>,
    /// Loads and commits that were sent.
    pub(crate) requests: Mutex<[usize; 2]>,
}

impl Node {
    pub(crate) fn new(server: Arc<Server>, speculates: Speculates) -> Self {
        Self {
            server,
            speculates,
            losses: Mutex::default(),
            others: Mutex::default(),
            requests: Mutex::default(),
        }
    }
}

/// Somewhere on the network.
async fn suspend() {
    tokio::task::yield_now().await;
}

impl VersionedStore for Node {
    fn load<'a>(&'a self, key: &'a UserKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        Box::pin(async move {
            self.requests.lock().unwrap()[0] += 1;
            suspend().await;
            let loaded = self.server.load(key);
            suspend().await;
            Ok(loaded)
        })
    }

    fn commit<'a>(
        &'a self,
        key: &'a UserKey,
        expected: Version,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            self.requests.lock().unwrap()[1] += 1;
            suspend().await;
            let others = self.others.lock().unwrap().take();
            if let Some(others) = others {
                others.await;
            }
            let loss = self.losses.lock().unwrap().pop_front();
            let answer = match loss.unwrap_or(Loss::Nothing) {
                Loss::Nothing => Ok(self.server.commit(key, expected, write)),
                Loss::Answer => {
                    self.server.commit(key, expected, write);
                    Err(lost())
                }
                Loss::Request => Err(lost()),
                Loss::Late => {
                    let late = (key.clone(), expected, write.clone());
                    self.server.late.lock().unwrap().push(late);
                    Err(lost())
                }
            };
            suspend().await;
            answer
        })
    }

    fn speculation(&self, _key: &UserKey) -> Speculation {
        let now = self.server.clock.now();
        match self.speculates {
            Speculates::Never => Speculation::Never,
            Speculates::IfSoleWriter => Speculation::IfSoleWriter(now),
            Speculates::Always => Speculation::Always(now),
        }
    }

    fn scan<'a>(
        &'a self,
        _tenant: &'a TenantId,
        _from: Option<&'a Cursor>,
        _page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable("no scans here".to_owned())) })
    }

    fn format_mark(&self) -> BoxFuture<'_, Result<Option<u32>, StoreError>> {
        let mark = *self.server.format_mark.lock().unwrap();
        let is_hidden = self.server.hides_format_mark.load(Ordering::SeqCst);
        let told = if is_hidden {
            Err(StoreError::Unavailable("the mark is hidden".to_owned()))
        } else {
            Ok(mark)
        };
        Box::pin(async { told })
    }

    fn raise_format_mark(&self, to: u8) -> BoxFuture<'_, Result<u32, StoreError>> {
        self.server.mark(to.into());
        Box::pin(async move { Ok(to.into()) })
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

fn lost() -> StoreError {
    StoreError::OutcomeUnknown("lost".to_owned())
}
