//! A server's time, reckoned from what it answered: never ahead of it, and behind only by how long
//! the quickest answer was on its way. The server checks it with each commit that was decided by
//! it.

use std::sync::atomic::{AtomicI64, Ordering};

use streamgate_core::Timestamp;
use streamgate_store::clock::Stopwatch;

/// Nothing was heard yet.
const UNKNOWN: i64 = i64::MIN;

/// What is known of a server's time.
#[derive(Debug)]
pub(crate) struct Reckoning {
    watch: Stopwatch,
    /// The server's time when the watch was started, in milliseconds.
    started_at_ms: AtomicI64,
    /// The latest time that was heard, so that no step is given an earlier one.
    heard_ms: AtomicI64,
}

impl Reckoning {
    pub(crate) fn new() -> Self {
        Self {
            watch: Stopwatch::start(),
            started_at_ms: AtomicI64::new(UNKNOWN),
            heard_ms: AtomicI64::new(UNKNOWN),
        }
    }

    /// The server's time, or a little less; `None` before any was heard.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        let started_at_ms = self.started_at_ms.load(Ordering::Relaxed);
        let reckoned_ms = started_at_ms.saturating_add(self.elapsed_ms());
        let now_ms = reckoned_ms.max(self.heard_ms.load(Ordering::Relaxed));
        let now_ms = (started_at_ms != UNKNOWN).then_some(now_ms)?;
        u64::try_from(now_ms).ok().map(Timestamp::from_millis)
    }

    /// The server has just said what time it is. Of several answers, the one that was quickest is
    /// the nearest to the truth, and that is the latest.
    pub(crate) fn heard(&self, time: Timestamp) {
        let (time_ms, started_at_ms) = self.read(time);
        self.heard_ms.fetch_max(time_ms, Ordering::Relaxed);
        self.started_at_ms
            .fetch_max(started_at_ms, Ordering::Relaxed);
    }

    /// The server has just said what time it is, and refused what was decided by another: its clock
    /// or ours was set, runs faster, or stood still, or another server took its place.
    pub(crate) fn corrected(&self, time: Timestamp) {
        let (time_ms, started_at_ms) = self.read(time);
        self.heard_ms.store(time_ms, Ordering::Relaxed);
        self.started_at_ms.store(started_at_ms, Ordering::Relaxed);
    }

    /// The time, and when the watch was started by it; both in milliseconds.
    fn read(&self, time: Timestamp) -> (i64, i64) {
        let time_ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        // The millisecond that has begun counts as over: never ahead.
        (time_ms, time_ms.saturating_sub(self.elapsed_ms() + 1))
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.watch.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn nothing_is_reckoned_before_anything_was_heard() {
        let reckoning = Reckoning::new();
        assert_eq!(reckoning.now(), None);
        reckoning.heard(AT);
        assert!(reckoning.now() >= Some(AT), "time does not go back");
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_changes_nothing_and_a_correction_everything() {
        let reckoning = Reckoning::new();
        reckoning.heard(AT);
        reckoning.heard(Timestamp::from_millis(AT.as_millis() - 100));
        assert!(reckoning.now() >= Some(AT));
        reckoning.corrected(Timestamp::from_millis(AT.as_millis() - 3_600_000));
        let corrected = reckoning.now().map(Timestamp::as_millis);
        assert!(corrected.is_some_and(|ms| ms < AT.as_millis() - 3_000_000));
    }
}
