//! A cache of the versions of records that enough replicas are known to have.

use std::sync::atomic::{AtomicU64, Ordering};

use streamgate_store::versioned::Version;

/// How many versions are cached at most. One that was displaced is confirmed again.
const SLOTS: usize = 1 << 16;

/// A direct-mapped set of versions. No two writes have the same version.
#[derive(Debug)]
pub(crate) struct ReplicatedVersions(Box<[AtomicU64]>);

impl ReplicatedVersions {
    pub(crate) fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes that enough replicas have, or had, this version.
    pub(crate) fn insert(&self, version: Version) {
        let (slot, number) = self.slot(version);
        slot.store(number, Ordering::Relaxed);
    }

    /// Whether enough replicas are known to have it; never true of [`Version::NONE`].
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
    fn a_version_is_contained_until_another_takes_its_slot() {
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
