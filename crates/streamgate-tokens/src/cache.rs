//! A cache of verified tokens: a signature costs more than everything else that a heartbeat does.
//!
//! An entry is found by a keyed hash, and then its text is compared, so a token that was never
//! verified is never found. It is forgotten when the token is over or its issuer has other keys.

use std::sync::Arc;

use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use std::hash::BuildHasher as _;

use crate::viewer::Viewer;

/// The size of the cache, in bytes.
const BYTES_MAX: u64 = 64 << 20;

/// About how many tokens that is; sets the initial capacity only.
const TOKENS_EXPECTED: usize = 1_024;

/// What an entry takes in addition to its token: the viewer, and the cache's own.
const OVERHEAD_BYTES: usize = 512;

/// Verified tokens, bounded in bytes.
pub(crate) struct TokenCache {
    entries: Cache<u64, Arc<Viewer>, Bytes, RandomState>,
    /// Keyed by the process, so that nobody can aim at the entry of another.
    hasher: foldhash::quality::RandomState,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<u64, Arc<Viewer>> for Bytes {
    fn weight(&self, _key: &u64, viewer: &Arc<Viewer>) -> u64 {
        (viewer.token.len() + OVERHEAD_BYTES) as u64
    }
}

impl TokenCache {
    pub(crate) fn new() -> Self {
        Self {
            entries: Cache::with(
                TOKENS_EXPECTED,
                BYTES_MAX,
                Bytes,
                RandomState::default(),
                DefaultLifecycle::default(),
            ),
            hasher: foldhash::quality::RandomState::default(),
        }
    }

    /// The viewer of this token, if it was verified.
    pub(crate) fn get(&self, token: &[u8]) -> Option<Arc<Viewer>> {
        let viewer = self.entries.get(&self.hasher.hash_one(token))?;
        (*viewer.token == *token).then_some(viewer)
    }

    pub(crate) fn insert(&self, viewer: Arc<Viewer>) {
        let hash = self.hasher.hash_one(&*viewer.token);
        self.entries.insert(hash, viewer);
    }

    pub(crate) fn remove(&self, token: &[u8]) {
        self.entries.remove(&self.hasher.hash_one(token));
    }

    pub(crate) fn clear(&self) {
        self.entries.clear();
    }

    /// How many tokens are remembered.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
