//! How long session calls (start, heartbeat, stop) take, finer than the histogram for Prometheus:
//! a percentile of one second is to be read from it.
//!
//! Log-linear buckets of fixed number: sixteen to each power of two, so that a value is known to
//! 3 %. Counting is one atomic add.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets to a power of two, as a power of two.
const STEP_BITS: u32 = 4;

/// The first power of two with buckets of its own: what takes less than 1.024 µs is in one bucket.
const FIRST: u32 = 10;

/// The last one: what takes 137 s or longer is in the last bucket.
const LAST: u32 = 36;

const BUCKETS: usize = 1 + (((LAST - FIRST + 1) as usize) << STEP_BITS);

/// Counts of calls by duration, since the start of the process.
#[derive(Debug)]
pub(crate) struct Latencies([AtomicU64; BUCKETS]);

/// The counts at one moment.
#[derive(Debug, Clone)]
pub(crate) struct LatencyCounts([u64; BUCKETS]);

impl Default for Latencies {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Latencies {
    /// Counts a call.
    pub(crate) fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0[bucket(ns)].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now. Calls under way meanwhile are in them or not.
    pub(crate) fn counts(&self) -> LatencyCounts {
        let read = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed);
        LatencyCounts(self.0.each_ref().map(read))
    }
}

impl Default for LatencyCounts {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl LatencyCounts {
    /// The duration, in milliseconds, that this part of the calls since `before` did not exceed;
    /// `None` if there was no call.
    pub(crate) fn percentile_ms(&self, before: &Self, part: f64) -> Option<f64> {
        let since = |at: usize| self.0[at] - before.0[at];
        let total: u64 = (0..BUCKETS).map(since).sum();
        if total == 0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a count is no larger than the count"
        )]
        let rank = ((total as f64 * part).ceil() as u64).clamp(1, total);
        let mut below = 0;
        let at = (0..BUCKETS).find(|at| {
            below += since(*at);
            below >= rank
        });
        at.map(middle_ms)
    }
}

/// The bucket of a duration.
const fn bucket(ns: u64) -> usize {
    let Some(power) = ns.checked_ilog2() else {
        return 0;
    };
    if power < FIRST {
        return 0;
    }
    if power > LAST {
        return BUCKETS - 1;
    }
    let step = (ns >> (power - STEP_BITS)) & ((1 << STEP_BITS) - 1);
    1 + (((power - FIRST) << STEP_BITS) as usize) + step as usize
}

/// The middle of a bucket, in milliseconds.
fn middle_ms(bucket: usize) -> f64 {
    const NS_PER_MS: f64 = 1e6;
    let Some(place) = bucket.checked_sub(1) else {
        return f64::from(1 << FIRST) / 2.0 / NS_PER_MS;
    };
    let step = (place & ((1 << STEP_BITS) - 1)) as f64;
    let power = 1_u64 << (FIRST as usize + (place >> STEP_BITS));
    let width = power as f64 / f64::from(1 << STEP_BITS);
    (power as f64 + (step + 0.5) * width) / NS_PER_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_a_bucket_whose_middle_is_within_four_percent() {
        let mut last = 0;
        let mut ns = 1_024_u64;
        while ns < 130_000_000_000 {
            let at = bucket(ns);
            assert!(at >= last && at < BUCKETS, "{ns}");
            last = at;
            let off = middle_ms(at) * 1e6 / ns as f64;
            assert!((0.96..1.04).contains(&off), "{ns} ns: {off}");
            ns += ns / 50;
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(1_023), 0);
        assert_eq!(bucket(1_024), 1);
        assert_eq!(bucket((1 << (LAST + 1)) - 1), BUCKETS - 1);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_of_the_calls_since_the_earlier_reading() {
        let latencies = Latencies::default();
        latencies.observe(Duration::from_secs(5));
        let before = latencies.counts();
        assert_eq!(before.percentile_ms(&before, 0.5), None);
        for us in 1..=100 {
            latencies.observe(Duration::from_micros(us * 10));
        }
        let now = latencies.counts();
        for (part, ms) in [(0.5, 0.5), (0.99, 0.99), (1.0, 1.0), (0.0, 0.01)] {
            let found = now.percentile_ms(&before, part).unwrap();
            assert!((found / ms - 1.0).abs() < 0.04, "{part}: {found}");
        }
        let whole = now.percentile_ms(&LatencyCounts::default(), 1.0).unwrap();
        assert!((whole / 5_000.0 - 1.0).abs() < 0.04, "{whole}");
    }
}
