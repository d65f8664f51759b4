//! The time, for stores without a server to ask. The only place that reads a clock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use streamgate_core::{Moment, Timestamp};

/// Supplies the time. It never goes backwards while the process runs.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time now, and the last stall that the clock noticed.
    fn now(&self) -> Moment;
}

/// How much of the time that passes is used to follow the wall clock: 1 part in 200, that is 0.45 s
/// in a lease of 90 s. Ordinary clock discipline stays below 1 part in 2,000.
const SLEW_DIVISOR: u64 = 200;

/// How often the wall clock is looked at, in milliseconds.
const LOOK_EVERY_MS: u64 = 1_000;

/// The machine's clock, made safe for leases.
///
/// It starts at the wall clock and then advances with the monotonic one, so a wall clock that is
/// set backwards or forwards neither ends a lease nor prolongs it. Where the two have drifted apart
/// it follows the wall clock slowly, by at most half a percent of the time that passes.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    anchor: Mutex<Anchor>,
}

/// When the wall clock was last looked at, and how far it was away. In milliseconds.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    /// Monotonic time since the clock was made.
    elapsed_ms: u64,
    /// The time that was shown.
    shown_ms: u64,
    /// The time on the wall.
    wall_ms: u64,
}

impl SystemClock {
    /// A clock that shows the wall clock's time now.
    #[must_use]
    pub fn new() -> Self {
        let now_ms = wall_ms();
        let anchor = Anchor {
            elapsed_ms: 0,
            shown_ms: now_ms,
            wall_ms: now_ms,
        };
        Self {
            started: monotonic(),
            anchor: Mutex::new(anchor),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let mut anchor = self.anchor.lock();
        // Taken under the lock, so that later calls never see an earlier time.
        let elapsed_ms = millis(self.started.elapsed());
        let shown_ms = anchor.shown_at(elapsed_ms);
        if elapsed_ms - anchor.elapsed_ms >= LOOK_EVERY_MS {
            *anchor = Anchor {
                elapsed_ms,
                shown_ms,
                wall_ms: wall_ms(),
            };
        }
        Timestamp::from_millis(shown_ms).into()
    }
}

impl Anchor {
    /// The time to show when the monotonic clock has reached `elapsed_ms`: as much later as time
    /// has passed, and a little nearer to the wall clock. Grows with `elapsed_ms`.
    fn shown_at(&self, elapsed_ms: u64) -> u64 {
        let passed_ms = elapsed_ms - self.elapsed_ms;
        let most_ms = passed_ms / SLEW_DIVISOR;
        if self.wall_ms >= self.shown_ms {
            self.shown_ms + passed_ms + most_ms.min(self.wall_ms - self.shown_ms)
        } else {
            self.shown_ms + passed_ms - most_ms.min(self.shown_ms - self.wall_ms)
        }
    }
}

/// A clock that stands until it is set; for tests.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    /// Moves the clock forwards.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the clock, also backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst)).into()
    }
}

/// Measures how long something takes, for metrics and logs.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    pub fn start() -> Self {
        Self(monotonic())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the adapter that everything else uses"
)]
fn monotonic() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the adapter that everything else uses"
)]
fn wall_ms() -> u64 {
    millis(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `passed_ms` pass, looking at a wall clock that is `offset_ms` away, as `now` does.
    fn pass(mut anchor: Anchor, passed_ms: u64, offset_ms: i64) -> Anchor {
        let wall_at_start = anchor.wall_ms;
        let start = anchor.elapsed_ms;
        let mut shown = anchor.shown_ms;
        for elapsed_ms in (start..=start + passed_ms).step_by(7) {
            let next = anchor.shown_at(elapsed_ms);
            assert!(next >= shown, "the clock went backwards");
            shown = next;
            if elapsed_ms - anchor.elapsed_ms >= LOOK_EVERY_MS {
                let wall_ms = (wall_at_start + elapsed_ms - start).saturating_add_signed(offset_ms);
                anchor = Anchor {
                    elapsed_ms,
                    shown_ms: shown,
                    wall_ms,
                };
            }
        }
        anchor
    }

    const START: Anchor = Anchor {
        elapsed_ms: 0,
        shown_ms: 1_000_000_000,
        wall_ms: 1_000_000_000,
    };

    #[test]
    fn a_wall_clock_that_steps_an_hour_moves_a_lease_by_less_than_half_a_second() {
        for step_ms in [3_600_000, -3_600_000] {
            let after = pass(START, 90_000, step_ms);
            let moved = after.shown_ms.abs_diff(START.shown_ms + after.elapsed_ms);
            assert!(moved > 0, "it follows the wall clock");
            assert!(moved <= 450, "the lease moved by {moved} ms");
        }
    }

    #[test]
    fn a_wall_clock_that_drifted_a_little_is_caught_up_with() {
        for step_ms in [300, -300] {
            let after = pass(START, 120_000, step_ms);
            let wall = (START.wall_ms + after.elapsed_ms).saturating_add_signed(step_ms);
            assert_eq!(after.shown_ms, wall);
        }
    }

    #[test]
    fn the_system_clock_starts_at_the_wall_clock_and_does_not_go_backwards() {
        let clock = SystemClock::new();
        assert!(wall_ms().abs_diff(clock.now().time.as_millis()) < 1_000);
        let times: Vec<Timestamp> = (0..10_000).map(|_| clock.now().time).collect();
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
