//! Clocks: the lease clock of a node without a time server, the wall clock, stall detection, and a
//! stopwatch. The only crate that reads a clock; `clippy.toml` bans it everywhere else.

mod machine;
mod manual;
mod stalls;
mod system;

use std::fmt;
use std::time::Duration;

use streamgate_core::Moment;

pub use machine::{monotonic_us, passed_ms, processor_time, wall_ms, wall_ns};
pub use manual::ManualClock;
pub use stalls::{StallRule, Stalls};
pub use system::SystemClock;

/// Supplies the time.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time now, and the last stall that the clock noticed. It goes backwards only as the
    /// implementation documents.
    fn now(&self) -> Moment;

    /// Milliseconds since a fixed moment in the past, suspend included: a clock that cannot be set.
    /// How far [`now`](Self::now) is ahead of it changes only where this clock is set.
    fn passed_ms(&self) -> u64 {
        passed_ms()
    }

    /// What to add to a time of this clock to get the time on the wall, in milliseconds.
    fn wall_offset_ms(&self) -> i64 {
        0
    }

    /// What has disturbed the clock since it was made.
    fn disturbances(&self) -> Disturbances {
        Disturbances::default()
    }
}

/// How often something disturbed a clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disturbances {
    /// Stalls: the process stood still.
    pub stalls: u64,
    /// Steps: the wall clock was set.
    pub steps: u64,
}

/// Measures how long something takes, for metrics and logs. It stands still while the machine is
/// suspended.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    pub fn start() -> Self {
        Self(machine::monotonic())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
