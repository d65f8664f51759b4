//! Reproducible randomness.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A generator (splitmix64) whose numbers are the same for the same seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end - 1`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    /// True once in so many times, on average.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Names the seed of an earlier run.
const SEED_VARIABLE: &str = "STREAMGATE_TEST_SEED";

#[expect(
    clippy::print_stdout,
    reason = "what a failure is repeated with must be told"
)]
/// A new seed, or the one in `STREAMGATE_TEST_SEED`. It is printed, so that a failure can be
/// repeated as far as threads and sockets let it.
pub fn seed() -> u64 {
    let seed = match std::env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    println!("{SEED_VARIABLE}={seed}");
    seed
}
