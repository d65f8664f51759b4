//! The one hash of a key: it chooses the shard, the place within the shard, and the scan order.
//!
//! It must be two things at once. *Stable*: cursors and snapshots outlive the process, so the
//! function is written out here and no library's update can change it. *Keyed*: user ids come from
//! outside, and whoever can choose them must not be able to fill one bucket. So it is SipHash-1-3
//! with a seed made at random once per data directory and kept in the header of each of its files.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The key of the hash, one per data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashSeed(pub(crate) [u64; 2]);

impl HashSeed {
    /// A seed for a new data directory.
    pub(crate) fn random() -> Self {
        // The standard library seeds its hash maps from the system's random numbers.
        let word = || RandomState::new().build_hasher().finish();
        Self([word(), word()])
    }

    /// SipHash-1-3 of `bytes`.
    pub(crate) fn hash(self, bytes: &[u8]) -> u64 {
        let [k0, k1] = self.0;
        let mut state = State {
            v0: k0 ^ 0x736f_6d65_7073_6575,
            v1: k1 ^ 0x646f_7261_6e64_6f6d,
            v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573,
        };
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            state.take(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length modulo 256 fills the last byte; that is how SipHash is defined.
        last[7] = bytes.len().to_le_bytes()[0];
        state.take(u64::from_le_bytes(last));
        state.v2 ^= 0xff;
        state.round();
        state.round();
        state.round();
        state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    }
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    fn take(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }

    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.rotate_left(32);
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
