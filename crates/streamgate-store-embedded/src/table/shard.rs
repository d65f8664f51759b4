//! A part of the table behind one lock: the records whose hashes share their highest bits.

use std::collections::VecDeque;

use hashbrown::HashTable;
use hashbrown::hash_table::{AbsentEntry, OccupiedEntry};

use crate::log::Lsn;
use crate::table::entry::Entry;
use crate::table::hash::HashSeed;

/// Records, and which of them have changes that are not durable yet.
#[derive(Default)]
pub(crate) struct Shard {
    pub(crate) entries: HashTable<Entry>,
    pub(crate) pending: Pending,
}

/// The place of a key in a shard, taken or free.
pub(crate) enum Slot<'a> {
    /// There is a record.
    Taken(OccupiedEntry<'a, Entry>),
    /// There is none; one can be inserted here.
    Free(AbsentEntry<'a, Entry>),
}

/// By how much a change grew the table; negative where it shrank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    /// Number of records.
    pub(crate) records: i64,
    /// Bytes of keys and records.
    pub(crate) bytes: i64,
}

/// The hash within a shard. Keys of a shard share the highest bits of their hash, and the hash
/// table uses these bits to tell entries apart, so the bits are mixed again.
fn place(hash: u64) -> u64 {
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The slot of a key.
pub(crate) fn slot<'a>(entries: &'a mut HashTable<Entry>, hash: u64, key: &[u8]) -> Slot<'a> {
    match entries.find_entry(place(hash), |entry| entry.key() == key) {
        Ok(taken) => Slot::Taken(taken),
        Err(free) => Slot::Free(free),
    }
}

/// Makes room for `more` entries.
pub(crate) fn reserve(entries: &mut HashTable<Entry>, more: usize, seed: HashSeed) {
    entries.reserve(more, |entry| place(seed.hash(entry.key())));
}

impl Slot<'_> {
    /// The record, if there is one.
    pub(crate) fn record(&self) -> Option<&[u8]> {
        match self {
            Self::Taken(taken) => Some(taken.get().record()),
            Self::Free(_) => None,
        }
    }

    /// Sets the record, or removes it.
    pub(crate) fn set(
        self,
        seed: HashSeed,
        hash: u64,
        key: &[u8],
        record: Option<&[u8]>,
    ) -> Growth {
        match (self, record) {
            (Self::Taken(mut taken), Some(record)) => {
                let before = signed(taken.get().len());
                taken.get_mut().set_record(record);
                Growth {
                    records: 0,
                    bytes: signed(taken.get().len()) - before,
                }
            }
            (Self::Taken(taken), None) => Growth {
                records: -1,
                bytes: -signed(taken.remove().0.len()),
            },
            (Self::Free(free), Some(record)) => {
                let entry = Entry::new(key, record);
                let bytes = signed(entry.len());
                free.into_table()
                    .insert_unique(place(hash), entry, |entry| place(seed.hash(entry.key())));
                Growth { records: 1, bytes }
            }
            (Self::Free(_), None) => Growth::default(),
        }
    }
}

fn signed(len: usize) -> i64 {
    i64::try_from(len).expect("a length in memory fits")
}

/// The changes of a shard that are not durable yet. A call that sees one of them must wait for it.
///
/// It has a few entries at most, those of one or two batches.
#[derive(Debug, Default)]
pub(crate) struct Pending(VecDeque<(u64, Lsn)>);

impl Pending {
    /// Adds a change of the key with this hash.
    pub(crate) fn push(&mut self, hash: u64, lsn: Lsn) {
        debug_assert!(
            self.0.back().is_none_or(|(_, last)| *last < lsn),
            "positions grow under the lock of the shard"
        );
        self.0.push_back((hash, lsn));
    }

    /// Removes changes that have become durable.
    pub(crate) fn prune(&mut self, durable: Lsn) {
        while self.0.front().is_some_and(|(_, lsn)| *lsn <= durable) {
            self.0.pop_front();
        }
    }

    /// The last change of the key with this hash. Two keys with the same hash wait for each other,
    /// which is harmless.
    pub(crate) fn last_of(&self, hash: u64) -> Option<Lsn> {
        self.0
            .iter()
            .rev()
            .find(|(of, _)| *of == hash)
            .map(|(_, lsn)| *lsn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_changes_are_found_until_they_are_durable() {
        let mut pending = Pending::default();
        for (hash, lsn) in [(1, 10), (2, 11), (1, 12)] {
            pending.push(hash, lsn);
        }
        assert_eq!((pending.last_of(1), pending.last_of(3)), (Some(12), None));
        pending.prune(11);
        assert_eq!((pending.last_of(1), pending.last_of(2)), (Some(12), None));
        pending.prune(12);
        assert_eq!(pending.last_of(1), None);
    }

    #[test]
    fn slots_count_what_they_hold() {
        let seed = HashSeed([1, 2]);
        let mut shard = Shard::default();
        let mut put = |record: Option<&[u8]>| {
            let hash = seed.hash(b"key");
            slot(&mut shard.entries, hash, b"key").set(seed, hash, b"key", record)
        };
        assert_eq!(put(None), Growth::default());
        assert_eq!(
            put(Some(b"12")),
            Growth {
                records: 1,
                bytes: 6
            }
        );
        assert_eq!(
            put(Some(b"12345")),
            Growth {
                records: 0,
                bytes: 3
            }
        );
        assert_eq!(
            put(None),
            Growth {
                records: -1,
                bytes: -9
            }
        );
    }
}
