//! A cache of the records that this node wrote last. It saves the load before a commit if no other
//! node writes ([`Speculation`](super::Speculation)), and the write if a step accepts a cached
//! record ([`StepFn::answer_from_cache`](crate::StepFn::answer_from_cache)).

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use streamgate_core::UserKey;

use super::Version;

/// The size of the cache, in bytes.
const BYTES_MAX: u64 = 64 << 20;

/// About how many records that is; sets the initial capacity only.
const RECORDS_EXPECTED: usize = 1_024;

/// What an entry takes in addition to its bytes.
const OVERHEAD_BYTES: usize = 128;

/// A record that this node wrote.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) version: Version,
    pub(super) record: Arc<[u8]>,
    /// Whether the record that it replaced was this node's, too, or there was none. Then other
    /// nodes are not likely to have written since, and a speculative commit is likely to succeed.
    pub(super) is_sole_writer: bool,
}

/// A cache entry.
#[derive(Debug, Clone)]
pub(super) enum Cached {
    /// The record that this node wrote.
    Written(Written),
    /// The outcome of this node's last commit is unknown: the next step needs a load.
    InDoubt,
}

/// Least-recently-used records, bounded in bytes.
pub(super) struct RecordCache(Cache<Box<[u8]>, Cached, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<Box<[u8]>, Cached> for Bytes {
    fn weight(&self, key: &Box<[u8]>, cached: &Cached) -> u64 {
        let record_bytes = match cached {
            Cached::Written(written) => written.record.len(),
            Cached::InDoubt => 0,
        };
        (key.len() + record_bytes + OVERHEAD_BYTES) as u64
    }
}

impl RecordCache {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(RECORDS_EXPECTED, BYTES_MAX, Bytes))
    }

    pub(super) fn get(&self, key: &UserKey) -> Option<Cached> {
        self.0.get(key.as_bytes())
    }

    pub(super) fn insert(&self, key: &UserKey, cached: Cached) {
        self.0.insert(key.as_bytes().into(), cached);
    }

    pub(super) fn remove(&self, key: &UserKey) {
        self.0.remove(key.as_bytes());
    }
}
