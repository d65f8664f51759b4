//! Batching delay: how soon after one commit the next one begins.
//!
//! A sync costs the processor the same however many records it carries. Under load each sync would
//! carry only the few records that came during the sync before, and the processor would be busy
//! with syncs. So the next commit begins a fixed time after the last one began, and carries all
//! that came meanwhile. A lone caller never waits.

use std::time::Duration;

use streamgate_clock::Stopwatch;

/// The least time between the beginnings of two commits under load: at most 2,500 a second. With 64
/// callers in a closed loop, the processor time and the p99 latency of a start are a fifth lower
/// than with 0. Twice this delay only adds latency.
const GATHER: Duration = Duration::from_micros(400);

/// A batch of this many records counts as load.
const LOAD_RECORDS: u32 = 4;

/// When the next batch may begin.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Runs since the last batch began, if that was under load.
    since: Option<Stopwatch>,
}

impl Pace {
    /// A batch of `records` records begins now.
    pub(crate) fn after(records: u32) -> Self {
        Self {
            since: (records >= LOAD_RECORDS).then(Stopwatch::start),
        }
    }

    /// The time left until the next batch may begin.
    pub(crate) fn left(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| {
            GATHER.saturating_sub(since.elapsed())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_caller_is_not_delayed() {
        assert_eq!(Pace::default().left(), Duration::ZERO);
        assert_eq!(Pace::after(LOAD_RECORDS - 1).left(), Duration::ZERO);
    }

    #[test]
    fn the_batch_after_a_large_one_is_delayed_by_the_gathering_time() {
        let pace = Pace::after(LOAD_RECORDS);
        while !pace.left().is_zero() {
            assert!(pace.left() <= GATHER);
            std::hint::spin_loop();
        }
        let since = pace.since.expect("a large batch delays the next");
        assert!(since.elapsed() >= GATHER);
    }
}
