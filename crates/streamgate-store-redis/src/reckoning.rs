//! The servers' time, reckoned from their last answers: what was heard is never ahead of them, and falls
//! behind only by how long an answer was on its way. The server checks it with each commit that was
//! decided by it.

use std::sync::atomic::{AtomicI64, Ordering};

use streamgate_core::Timestamp;
use streamgate_store::clock::Stopwatch;

/// How far a server may be past the time by which something was decided, in milliseconds, as scripts
/// take it. Slots are free that much later at most, and never earlier.
pub(crate) const BEHIND_MAX_MS: &str = "500";

/// Nothing was heard yet.
const UNKNOWN: i64 = i64::MIN;

/// What is known of the servers' time.
#[derive(Debug)]
pub(crate) struct Reckoning {
    watch: Stopwatch,
    /// The servers' time when the watch was started, in milliseconds.
    started_at_ms: AtomicI64,
}

impl Reckoning {
    pub(crate) fn new() -> Self {
        Self {
            watch: Stopwatch::start(),
            started_at_ms: AtomicI64::new(UNKNOWN),
        }
    }

    /// The servers' time, or a little less; `None` before any was heard.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        let started_at_ms = self.started_at_ms.load(Ordering::Relaxed);
        let now_ms = started_at_ms.checked_add(self.elapsed_ms())?;
        (started_at_ms != UNKNOWN).then_some(())?;
        u64::try_from(now_ms).ok().map(Timestamp::from_millis)
    }

    /// A server has just said what time it is. Of several, the one whose answer was quickest is the
    /// nearest to the truth, and that is the latest.
    pub(crate) fn heard(&self, time: Timestamp) {
        self.started_at_ms
            .fetch_max(self.started_at(time), Ordering::Relaxed);
    }

    /// A server has just said what time it is, and refused what was decided by another: its clock or
    /// ours was set, or stood still.
    pub(crate) fn corrected(&self, time: Timestamp) {
        self.started_at_ms
            .store(self.started_at(time), Ordering::Relaxed);
    }

    fn started_at(&self, time: Timestamp) -> i64 {
        let time_ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        // The millisecond that has begun counts as over: never ahead.
        time_ms.saturating_sub(self.elapsed_ms() + 1)
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.watch.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// At the moment of `AT` or a little later, but for the millisecond that has begun.
    fn is_about_now(now: Timestamp) -> bool {
        now.as_millis() + 1 >= AT.as_millis()
    }

    #[test]
    fn nothing_is_reckoned_before_anything_was_heard() {
        let reckoning = Reckoning::new();
        assert_eq!(reckoning.now(), None);
        reckoning.heard(AT);
        assert!(reckoning.now().is_some_and(is_about_now));
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_changes_nothing_and_a_correction_everything() {
        let reckoning = Reckoning::new();
        reckoning.heard(AT);
        let late = Timestamp::from_millis(AT.as_millis() - 100);
        reckoning.heard(late);
        assert!(reckoning.now().is_some_and(is_about_now));
        let hour_ago = Timestamp::from_millis(AT.as_millis() - 3_600_000);
        reckoning.corrected(hour_ago);
        let corrected = reckoning.now().map(Timestamp::as_millis);
        assert!(corrected.is_some_and(|ms| ms < AT.as_millis() - 3_000_000));
    }
}
