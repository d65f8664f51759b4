//! Exponential backoff with jitter.

use std::time::Duration;

const FIRST_MS: u64 = 50;
const LONGEST_MS: u64 = 1_000;

/// The next wait after each failure.
#[derive(Debug)]
pub(crate) struct Backoff {
    next_ms: u64,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next_ms: FIRST_MS }
    }

    /// How long to wait now: between half of it and all, at random, and twice as long next time.
    pub(crate) fn wait(&mut self) -> Duration {
        let ms = self.next_ms;
        self.next_ms = (ms * 2).min(LONGEST_MS);
        Duration::from_millis(ms / 2 + random_below(ms / 2 + 1))
    }

    /// Starts again with the shortest wait, after a success.
    pub(crate) fn reset(&mut self) {
        self.next_ms = FIRST_MS;
    }
}

/// A random number below `end`, uniform enough for jitter.
///
/// # Panics
/// If the operating system supplies no random bytes: nothing else can be done without them either.
pub(crate) fn random_below(end: u64) -> u64 {
    getrandom::u64().expect("the operating system has random bytes") % end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_second_and_shrink_when_all_is_well() {
        let mut backoff = Backoff::new();
        let mut ms = || backoff.wait().as_millis();
        assert!((25..=50).contains(&ms()));
        assert!((50..=100).contains(&ms()));
        for _ in 0..10 {
            ms();
        }
        assert!((500..=1_000).contains(&ms()));
        backoff.reset();
        assert!(backoff.wait().as_millis() <= 50);
    }
}
