//! Reading the clocks of the machine.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// How often the two clocks are read until both readings count as one moment.
const READS_MAX: u32 = 4;

/// How far apart two readings may be that count as one moment, in milliseconds.
const MOMENT_MS: u64 = 2;

/// Clocks that a [`SystemClock`](super::SystemClock) is made of.
pub trait Source: Send + Sync + fmt::Debug + 'static {
    /// Milliseconds since a fixed moment in the past, suspend included. This clock cannot be set.
    fn passed_ms(&self) -> u64;

    /// The wall clock: milliseconds since 1970, negative before. May be set at any time.
    fn wall_ms(&self) -> i64;

    /// How far the wall clock is ahead of `passed_ms`; `None` if the thread was interrupted between
    /// the two reads each time.
    fn wall_ahead_ms(&self) -> Option<i64> {
        (0..READS_MAX).find_map(|_| {
            let before_ms = self.passed_ms();
            let wall_ms = self.wall_ms();
            let is_moment = self.passed_ms() - before_ms <= MOMENT_MS;
            is_moment.then(|| wall_ms - i64::try_from(before_ms).unwrap_or(i64::MAX))
        })
    }
}

/// The clocks of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl Source for Machine {
    /// `CLOCK_BOOTTIME`, which runs on in suspend; asked of the kernel and not of the C library, so
    /// that tests which fake the wall clock leave leases alone.
    fn passed_ms(&self) -> u64 {
        passed_ms()
    }

    fn wall_ms(&self) -> i64 {
        wall_ms()
    }
}

/// A duration in whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds that have passed since the machine started, suspend included.
#[must_use]
pub fn passed_ms() -> u64 {
    let passed = clock_gettime(ClockId::Boottime);
    let (seconds, nanos) = (passed.tv_sec, passed.tv_nsec);
    let ms = seconds
        .saturating_mul(1_000)
        .saturating_add(nanos / 1_000_000);
    u64::try_from(ms).unwrap_or(0)
}

/// The processor time that this process has used, in all its threads.
#[must_use]
pub fn processor_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(used.tv_sec).unwrap_or(0),
        u32::try_from(used.tv_nsec).unwrap_or(0),
    )
}

/// The monotonic clock in microseconds, suspend not included. A service manager compares it with
/// its own reading.
#[must_use]
pub fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let us = now
        .tv_sec
        .saturating_mul(1_000_000)
        .saturating_add(now.tv_nsec / 1_000);
    u64::try_from(us).unwrap_or(0)
}

/// The wall clock: milliseconds since 1970, negative before.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the adapter")]
pub fn wall_ms() -> i64 {
    let signed = |duration| i64::try_from(millis(duration)).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => signed(since),
        Err(error) => -signed(error.duration()),
    }
}

/// The wall clock in nanoseconds since 1970, for the times of traces; 0 before.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the adapter")]
pub fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// The monotonic clock of [`Stopwatch`](crate::Stopwatch).
#[expect(clippy::disallowed_methods, reason = "this is the adapter")]
pub(super) fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run_and_the_wall_clock_is_of_this_century() {
        let (passed_ms, wall_ms) = (Machine.passed_ms(), Machine.wall_ms());
        assert!(passed_ms > 0 && wall_ms > 946_684_800_000);
        assert!(Machine.passed_ms() >= passed_ms);
        assert!(Machine.wall_ahead_ms().is_some());
    }
}
