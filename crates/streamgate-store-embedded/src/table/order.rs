//! The order in which records are scanned and swept, and cursors into it.
//!
//! Records are ordered by hash, then by key. The hash survives a restart, so cursors stay valid. A
//! cursor names a place, so the record that it was made at may have gone.

use hashbrown::HashTable;
use streamgate_store::Cursor;

use crate::format::u64_at;
use crate::table::entry::Entry;
use crate::table::hash::HashSeed;
use crate::table::{SHARDS, shard_index, shard_start};

/// A place between two records: directly behind this hash and key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) hash: u64,
    pub(crate) key: Vec<u8>,
}

/// The first byte of a cursor, so that a cursor of another kind of store is refused.
const CURSOR_MARK: u8 = 0xe1;

impl Place {
    /// Before all records.
    pub(crate) const START: Self = Self {
        hash: 0,
        key: Vec::new(),
    };

    /// Before all records of a shard; `None` for a number behind the last shard.
    pub(crate) fn before_shard(shard: usize) -> Option<Self> {
        // No key is empty, so every key with the lowest hash is behind this place.
        (shard < SHARDS).then(|| Self {
            hash: shard_start(shard),
            key: Vec::new(),
        })
    }

    pub(crate) fn shard(&self) -> usize {
        shard_index(self.hash)
    }

    /// A cursor for this place, valid in this directory.
    pub(crate) fn to_cursor(&self, seed: HashSeed) -> Cursor {
        let mut bytes = vec![CURSOR_MARK];
        bytes.extend_from_slice(&fingerprint(seed));
        bytes.extend_from_slice(&self.hash.to_le_bytes());
        bytes.extend_from_slice(&self.key);
        Cursor(bytes)
    }

    /// Parses a cursor; `None` for one of another directory or store.
    pub(crate) fn from_cursor(cursor: &Cursor, seed: HashSeed) -> Option<Self> {
        let bytes = cursor.0.strip_prefix(&[CURSOR_MARK])?;
        let bytes = bytes.strip_prefix(&fingerprint(seed))?;
        let (hash, key) = bytes.split_at_checked(size_of::<u64>())?;
        let place = Self {
            hash: u64_at(hash, 0),
            key: key.to_vec(),
        };
        let sound = if key.is_empty() {
            shard_start(place.shard()) == place.hash
        } else {
            seed.hash(key) == place.hash
        };
        sound.then_some(place)
    }
}

/// Identifies the directory, because each has its own order.
fn fingerprint(seed: HashSeed) -> [u8; 4] {
    let [a, b, c, d, ..] = seed.hash(b"cursor").to_le_bytes();
    [a, b, c, d]
}

/// The first `max` hashes and entries behind a place that `wanted` accepts, in order, and whether
/// there are more.
pub(crate) fn first_behind<'a>(
    entries: &'a HashTable<Entry>,
    seed: HashSeed,
    place: &Place,
    max: usize,
    wanted: impl Fn(&[u8]) -> bool,
) -> (Vec<(u64, &'a Entry)>, bool) {
    // A shard is unordered, so a page costs one look at each record of it.
    let order = |(hash, entry): &(u64, &'a Entry)| (*hash, entry.key());
    let mut found: Vec<(u64, &Entry)> = entries
        .iter()
        .filter(|entry| wanted(entry.key()))
        .map(|entry| (seed.hash(entry.key()), entry))
        .filter(|found| order(found) > (place.hash, place.key.as_slice()))
        .collect();
    let more = found.len() > max;
    if more && max > 0 {
        // Sort only the page, which is small.
        found.select_nth_unstable_by(max - 1, |a, b| order(a).cmp(&order(b)));
    }
    found.truncate(max);
    found.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
    (found, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: HashSeed = HashSeed([1, 2]);

    #[test]
    fn cursors_come_back_and_others_are_refused() {
        let key = b"default\0user".to_vec();
        let place = Place {
            hash: SEED.hash(&key),
            key,
        };
        for place in [
            place,
            Place::START,
            Place::before_shard(SHARDS - 1).unwrap(),
        ] {
            let cursor = place.to_cursor(SEED);
            assert_eq!(Place::from_cursor(&cursor, SEED), Some(place));
            assert_eq!(Place::from_cursor(&cursor, HashSeed([1, 3])), None);
            for cut in 0..13 {
                let cut = Cursor(cursor.0[..cut].to_vec());
                assert_eq!(Place::from_cursor(&cut, SEED), None);
            }
        }
        assert_eq!(Place::before_shard(SHARDS), None);
    }
}
