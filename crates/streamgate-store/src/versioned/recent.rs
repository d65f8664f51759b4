//! What this node wrote last of each key: saves the load before a commit where nobody else writes.

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use streamgate_core::UserKey;

use super::Version;

/// How much is remembered in all, in bytes.
const BYTES_MAX: u64 = 64 << 20;

/// About how many records that is; a hint for how much to set aside at first.
const RECORDS_EXPECTED: usize = 1_024;

/// What an entry takes beside its bytes.
const OVERHEAD_BYTES: usize = 128;

/// A record that this node wrote.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) version: Version,
    pub(super) record: Box<[u8]>,
    /// Whether the record that it replaced was this node's, too, or there was none. Then others are
    /// not likely to have written since, and a commit can be tried on what is remembered.
    pub(super) alone: bool,
}

/// What this node knows of a record.
#[derive(Debug, Clone)]
pub(super) enum Last {
    /// What it wrote.
    Written(Written),
    /// It sent something of which nobody knows whether it was done.
    InDoubt,
}

/// What this node knows of records, within a bound.
pub(super) struct Recent(Cache<Box<[u8]>, Last, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<Box<[u8]>, Last> for Bytes {
    fn weight(&self, key: &Box<[u8]>, last: &Last) -> u64 {
        let record_bytes = match last {
            Last::Written(written) => written.record.len(),
            Last::InDoubt => 0,
        };
        (key.len() + record_bytes + OVERHEAD_BYTES) as u64
    }
}

impl Recent {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(RECORDS_EXPECTED, BYTES_MAX, Bytes))
    }

    pub(super) fn get(&self, key: &UserKey) -> Option<Last> {
        self.0.get(key.as_bytes())
    }

    pub(super) fn remember(&self, key: &UserKey, last: Last) {
        self.0.insert(key.as_bytes().into(), last);
    }

    pub(super) fn forget(&self, key: &UserKey) {
        self.0.remove(key.as_bytes());
    }
}
