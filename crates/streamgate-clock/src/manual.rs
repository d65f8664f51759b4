//! A clock for tests.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_core::{Moment, Stall, Timestamp};

use super::machine::millis;
use super::{Clock, Disturbances};

/// A clock that stands until it is set; for tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    moment: Mutex<Moment>,
    passed_ms: AtomicU64,
    wall_offset_ms: AtomicI64,
    stalls: AtomicU64,
    steps: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self {
            moment: Mutex::new(now.into()),
            ..Self::default()
        }
    }

    /// Moves the clock forwards.
    pub fn advance(&self, by: Duration) {
        let mut moment = self.moment.lock();
        moment.time = later(moment.time, by);
        self.passed_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Moves the clock forwards, and records that time as a stall.
    pub fn stall(&self, by: Duration) {
        let mut moment = self.moment.lock();
        let (from, until) = (moment.time, later(moment.time, by));
        self.passed_ms.fetch_add(millis(by), Ordering::SeqCst);
        *moment = Moment {
            time: until,
            stall: Some(Stall { from, until }),
        };
        self.stalls.fetch_add(1, Ordering::SeqCst);
    }

    /// Sets the clock, also backwards. No time passes.
    pub fn set(&self, now: Timestamp) {
        self.moment.lock().time = now;
    }

    /// Sets the wall clock `ms` milliseconds ahead of this one.
    pub fn set_wall_offset_ms(&self, ms: i64) {
        self.wall_offset_ms.store(ms, Ordering::SeqCst);
        self.steps.fetch_add(1, Ordering::SeqCst);
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(time.as_millis().saturating_add(millis(by)))
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        *self.moment.lock()
    }

    fn passed_ms(&self) -> u64 {
        self.passed_ms.load(Ordering::SeqCst)
    }

    fn wall_offset_ms(&self) -> i64 {
        self.wall_offset_ms.load(Ordering::SeqCst)
    }

    fn disturbances(&self) -> Disturbances {
        Disturbances {
            stalls: self.stalls.load(Ordering::SeqCst),
            steps: self.steps.load(Ordering::SeqCst),
        }
    }
}
