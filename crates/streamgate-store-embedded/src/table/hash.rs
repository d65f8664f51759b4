//! The one hash of a key. It decides the shard, the place within the shard, and the scan order.
//!
//! It is *stable*, because cursors and snapshots outlive the process: a published function, and a
//! test pins its values. It is *keyed*, because clients choose user ids and must not be able to
//! fill one bucket (hash flooding). So it is SipHash-1-3 with a random seed per data directory,
//! kept in the header of each file.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use siphasher::sip::SipHasher13;

/// The key of the hash, one for each data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashSeed(pub(crate) [u64; 2]);

impl HashSeed {
    /// A seed for a new data directory.
    pub(crate) fn random() -> Self {
        // The standard library seeds its hash maps with random numbers of the system.
        let word = || RandomState::new().build_hasher().finish();
        Self([word(), word()])
    }

    /// SipHash-1-3 of `bytes`.
    pub(crate) fn hash(self, bytes: &[u8]) -> u64 {
        let [k0, k1] = self.0;
        SipHasher13::new_with_keys(k0, k1).hash(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;

    #[test]
    fn it_is_siphash_1_3() {
        // The standard library's hasher is SipHash-1-3 with a zero key today.
        for len in 0..70 {
            let bytes: Vec<u8> = (0..len).collect();
            let mut theirs = DefaultHasher::new();
            theirs.write(&bytes);
            assert_eq!(
                HashSeed([0, 0]).hash(&bytes),
                theirs.finish(),
                "{len} bytes"
            );
        }
    }

    #[test]
    fn it_never_changes() {
        let seed = HashSeed([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        assert_eq!(seed.hash(b"default\0user-1"), GOLDEN);
    }

    const GOLDEN: u64 = 4_163_450_562_714_535_556;

    #[test]
    fn two_directories_have_two_seeds() {
        assert_ne!(HashSeed::random(), HashSeed::random());
    }
}
