//! A server that is a map, and counts what it is asked: requests, and the units that DynamoDB
//! takes for them.
//!
//! Each load is one request of DynamoDB (`GetItem`, strongly consistent) and one of Redis, each
//! commit one (`PutItem` or `DeleteItem`, on a condition); so the counts hold for both.

use std::collections::HashMap;
use std::ops::Sub;
use std::sync::Arc;

use parking_lot::Mutex;
use streamgate_clock::{Clock, ManualClock};
use streamgate_core::{TenantId, UserKey};
use streamgate_store::versioned::{Committed, Loaded, Speculation, Version, VersionedStore, Write};
use streamgate_store::{BoxFuture, Cursor, Page, StoreError};

/// What a unit of DynamoDB covers, in bytes.
const READ_UNIT_BYTES: u64 = 4 * 1_024;
const WRITE_UNIT_BYTES: u64 = 1_024;

/// What was asked for so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) loads: u64,
    pub(crate) commits: u64,
    pub(crate) read_units: u64,
    pub(crate) write_units: u64,
    /// The item as it is now.
    pub(crate) item_bytes: u64,
}

impl Sub for Used {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            loads: self.loads - before.loads,
            commits: self.commits - before.commits,
            read_units: self.read_units - before.read_units,
            write_units: self.write_units - before.write_units,
            item_bytes: self.item_bytes,
        }
    }
}

/// The map and its counts.
#[derive(Debug, Default)]
struct Inner {
    records: HashMap<Box<[u8]>, (Version, Vec<u8>)>,
    used: Used,
}

/// A way to the map. All see the same.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<ManualClock>,
    server: Server,
    calls_come: Come,
}

/// Which node a user's calls come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Come {
    /// Any: each loads what others may have written. On Redis it tries first.
    ToAnyNode,
    /// One, which remembers what it wrote: behind a balancer that goes by the user.
    ToOneNode,
}

/// What the map stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    DynamoDb,
    /// Redis or Valkey: a commit in vain brings what a load would.
    Redis,
}

impl Counted {
    /// An empty one with this clock.
    pub(crate) fn new(clock: Arc<ManualClock>, server: Server, calls_come: Come) -> Self {
        Self {
            inner: Arc::default(),
            clock,
            server,
            calls_come,
        }
    }

    /// What was asked for so far.
    pub(crate) fn used(&self) -> Used {
        self.inner.lock().used
    }
}

/// What DynamoDB counts for an item: its values and the names of its four attributes. The time is a
/// number of ten digits, that is six bytes.
fn item_bytes(key: &UserKey, record: &[u8]) -> u64 {
    let values = key.as_bytes().len() + Version::BYTES + record.len() + 6;
    values as u64 + 4
}

impl Inner {
    fn size(&self, key: &UserKey) -> u64 {
        let found = self.records.get(key.as_bytes());
        found.map_or(0, |(_, record)| item_bytes(key, record))
    }

    fn loaded(&self, key: &UserKey, clock: &ManualClock) -> Loaded {
        let found = self.records.get(key.as_bytes());
        Loaded {
            record: found.map(|(_, record)| record.clone()),
            version: found.map_or(Version::NONE, |(version, _)| *version),
            now: clock.now(),
        }
    }
}

impl VersionedStore for Counted {
    fn load<'a>(&'a self, key: &'a UserKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        Box::pin(async move {
            let mut inner = self.inner.lock();
            let units = inner.size(key).div_ceil(READ_UNIT_BYTES).max(1);
            inner.used.loads += 1;
            inner.used.read_units += units;
            Ok(inner.loaded(key, &self.clock))
        })
    }

    fn commit<'a>(
        &'a self,
        key: &'a UserKey,
        expected: Version,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            let mut inner = self.inner.lock();
            let before = inner.size(key);
            let current = inner.loaded(key, &self.clock);
            if current.version == expected {
                match &write.record {
                    Some(record) => {
                        let written = (write.version, record.clone());
                        inner.records.insert(key.as_bytes().into(), written);
                    }
                    None => drop(inner.records.remove(key.as_bytes())),
                }
            }
            // The larger of before and after counts; a condition that does not hold is paid, too.
            let after = inner.size(key);
            inner.used.commits += 1;
            inner.used.write_units += before.max(after).div_ceil(WRITE_UNIT_BYTES).max(1);
            inner.used.item_bytes = after;
            Ok(match current {
                current if current.version == expected => Committed::Done,
                current => Committed::Conflict(current),
            })
        })
    }

    fn speculation(&self, _key: &UserKey) -> Speculation {
        match (self.server, self.calls_come) {
            (Server::Redis, _) => Speculation::Always(self.clock.now()),
            (Server::DynamoDb, Come::ToAnyNode) => Speculation::Never,
            (Server::DynamoDb, Come::ToOneNode) => Speculation::IfSoleWriter(self.clock.now()),
        }
    }

    fn scan<'a>(
        &'a self,
        _tenant: &'a TenantId,
        _from: Option<&'a Cursor>,
        _page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        let why = "lists are not measured".to_owned();
        Box::pin(async move { Err(StoreError::Unavailable(why)) })
    }

    fn format_mark(&self) -> BoxFuture<'_, Result<Option<u32>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}
