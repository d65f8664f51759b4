//! Time as a value. Nothing here reads a clock: the store supplies the time.

use crate::bounds::TIMESTAMP_MAX_MS;

/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z, at most the end of year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// A duration in whole seconds. Leases and windows are configured, stored and answered in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seconds(pub u32);

/// A point in time as a store knows it: what its clock shows, and the last stall that it noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// The time.
    pub time: Timestamp,
    /// The last stall; `None` where there was none.
    pub stall: Option<Stall>,
}

/// An interval that passed for leases while no heartbeat could be served: the process, the machine
/// or the store's server stood still, or the clock that counts leases leapt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// The last time before it. A session whose lease was over by then gets no grace.
    pub from: Timestamp,
    /// The first time after it. The lease of grace begins here.
    pub until: Timestamp,
}

impl From<Timestamp> for Moment {
    /// A moment without a stall before it.
    fn from(time: Timestamp) -> Self {
        Self { time, stall: None }
    }
}

impl Timestamp {
    /// The time `ms` milliseconds after the epoch; a time after year 9999 becomes its end.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(if ms > TIMESTAMP_MAX_MS {
            TIMESTAMP_MAX_MS
        } else {
            ms
        })
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time plus `seconds`; stops at the end of year 9999.
    #[must_use]
    pub const fn plus(self, seconds: Seconds) -> Self {
        Self::from_millis(self.0.saturating_add(seconds.as_millis()))
    }

    /// Milliseconds from `earlier` to this time; 0 where `earlier` is not earlier.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Seconds {
    /// The duration in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 as u64 * 1_000
    }
}
