//! The table: all records in memory. Every call is answered from it; the log only restores it.
//!
//! The highest bits of a key's hash select one of 4,096 shards. A shard is also the unit in which
//! the table is copied, scanned and sorted: with ten million users it has about 2,400 records, and
//! copying them takes less time than a sync.

pub(crate) mod entry;
pub(crate) mod hash;
pub(crate) mod order;
pub(crate) mod shard;

use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

use crate::table::hash::HashSeed;
use crate::table::shard::{Growth, Shard, slot};

/// Bits of the hash that choose the shard.
pub(crate) const SHARD_BITS: u32 = 12;

/// How many shards there are.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;

/// All records.
pub(crate) struct Table {
    seed: HashSeed,
    shards: Box<[Mutex<Shard>]>,
    records: AtomicI64,
    bytes: AtomicI64,
}

impl Table {
    pub(crate) fn new(seed: HashSeed) -> Self {
        Self {
            seed,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            records: AtomicI64::new(0),
            bytes: AtomicI64::new(0),
        }
    }

    pub(crate) fn seed(&self) -> HashSeed {
        self.seed
    }

    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    /// The shard of keys with this hash.
    pub(crate) fn shard_of(&self, hash: u64) -> &Mutex<Shard> {
        &self.shards[shard_index(hash)]
    }

    /// All shards, in scan order.
    pub(crate) fn shards(&self) -> &[Mutex<Shard>] {
        &self.shards
    }

    /// Adds the growth of a shard to the totals.
    pub(crate) fn grew(&self, by: Growth) {
        if by.records != 0 {
            self.records.fetch_add(by.records, Ordering::Relaxed);
        }
        if by.bytes != 0 {
            self.bytes.fetch_add(by.bytes, Ordering::Relaxed);
        }
    }

    /// How many records there are.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed).try_into().unwrap_or(0)
    }

    /// Bytes of all keys and records.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed).try_into().unwrap_or(0)
    }

    /// Replaces one record by what `change` makes of it, without a log: for recovery.
    pub(crate) fn update<E>(
        &self,
        hash: u64,
        key: &[u8],
        change: impl FnOnce(Option<&[u8]>) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<(), E> {
        let mut shard = self.shard_of(hash).lock();
        let slot = slot(&mut shard.entries, hash, key);
        let record = change(slot.record())?;
        let growth = slot.set(self.seed, hash, key, record.as_deref());
        self.grew(growth);
        Ok(())
    }

    /// Sets one record, or removes it, without a log: for recovery.
    pub(crate) fn put(&self, key: &[u8], record: Option<&[u8]>) {
        let hash = self.hash(key);
        let mut shard = self.shard_of(hash).lock();
        let growth = slot(&mut shard.entries, hash, key).set(self.seed, hash, key, record);
        self.grew(growth);
    }
}

/// The shard of keys with this hash.
pub(crate) fn shard_index(hash: u64) -> usize {
    usize::try_from(hash >> (u64::BITS - SHARD_BITS)).expect("a few bits fit")
}

/// The lowest hash of a shard.
pub(crate) fn shard_start(shard: usize) -> u64 {
    (shard as u64) << (u64::BITS - SHARD_BITS)
}
