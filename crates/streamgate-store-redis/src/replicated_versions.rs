//! Which versions of records as many replicas have as commits wait for.
//!
//! What is *not* here: asking replicas.

use std::sync::atomic::{AtomicU64, Ordering};

use streamgate_store::versioned::Version;

/// How many versions are remembered, at most. One that is forgotten is asked for again.
const SLOTS: usize = 1 << 16;

/// Remembers versions. No two writes have the same one, so a version tells all.
#[derive(Debug)]
pub(crate) struct ReplicatedVersions(Box<[AtomicU64]>);

impl ReplicatedVersions {
    pub(crate) fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Enough replicas have this version, or have had it.
    pub(crate) fn insert(&self, version: Version) {
        let (slot, number) = self.slot(version);
        slot.store(number, Ordering::Relaxed);
    }

    /// Whether enough replicas are known to have it. Of no record at all nobody can know that.
    pub(crate) fn contains(&self, version: Version) -> bool {
        let (slot, number) = self.slot(version);
        version != Version::NONE && slot.load(Ordering::Relaxed) == number
    }

    fn slot(&self, version: Version) -> (&AtomicU64, u64) {
        let bytes = version.as_bytes();
        let at = u16::from_le_bytes([bytes[6], bytes[7]]);
        (&self.0[usize::from(at)], u64::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_known_until_another_takes_its_place() {
        let replicated = ReplicatedVersions::new();
        let version = |first| Version::from_bytes(&[first, 0, 0, 0, 0, 0, 7, 7]).unwrap();
        assert!(!replicated.contains(version(1)));
        replicated.insert(version(1));
        assert!(replicated.contains(version(1)));
        replicated.insert(version(3));
        assert!(replicated.contains(version(3)) && !replicated.contains(version(1)));
        assert!(!replicated.contains(Version::NONE), "an empty slot is none");
        replicated.insert(Version::NONE);
        assert!(!replicated.contains(Version::NONE));
    }
}
