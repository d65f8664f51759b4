//! Stalls: a task that reads a clock regularly notices one because a read comes late.

use streamgate_core::{Moment, Policy, Stall, Timestamp};

/// When a late reading of a clock counts as a stall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StallRule {
    /// A longer time between two readings is a stall, in milliseconds.
    pub after_ms: u64,
    /// How long the grace after a stall lasts, in milliseconds. A stall that begins within the
    /// grace of the one before is merged with it: no grace is cut short.
    pub grace_ms: u64,
}

impl StallRule {
    /// No time between two readings is a stall.
    pub const NEVER: Self = Self {
        after_ms: u64::MAX,
        grace_ms: 0,
    };

    /// The rule for sessions under this policy.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let lease_end = policy.lease_end(Timestamp::from_millis(0), policy.lease);
        Self {
            after_ms: policy.stall_ms(),
            grace_ms: lease_end.as_millis(),
        }
    }
}

/// Detects stalls in the readings of one clock, and keeps the last one.
#[derive(Debug)]
pub struct Stalls {
    rule: StallRule,
    /// The latest time that was read; `None` before the first reading.
    seen: Option<Timestamp>,
    last: Option<Stall>,
}

impl Stalls {
    /// A detector without readings.
    #[must_use]
    pub const fn new(rule: StallRule) -> Self {
        Self {
            rule,
            seen: None,
            last: None,
        }
    }

    /// Replaces the rule.
    pub fn set_rule(&mut self, rule: StallRule) {
        self.rule = rule;
    }

    /// Whether a reading `passed_ms` after the last one is late.
    #[must_use]
    pub const fn is_late(&self, passed_ms: u64) -> bool {
        passed_ms > self.rule.after_ms
    }

    /// Records a reading: the clock shows `time`, `passed_ms` milliseconds after the last reading.
    pub fn see(&mut self, time: Timestamp, passed_ms: u64) -> Moment {
        if let Some(from) = self.seen
            && self.is_late(passed_ms)
            && from < time
        {
            self.last = Some(self.joined(Stall { from, until: time }));
        }
        self.seen = Some(time);
        self.at(time)
    }

    /// This time, with the last stall.
    #[must_use]
    pub const fn at(&self, time: Timestamp) -> Moment {
        Moment {
            time,
            stall: self.last,
        }
    }

    /// The latest time that was read.
    #[must_use]
    pub const fn seen(&self) -> Option<Timestamp> {
        self.seen
    }

    fn joined(&self, stall: Stall) -> Stall {
        let in_grace = |last: &Stall| {
            let grace_end_ms = last.until.as_millis() + self.rule.grace_ms;
            last.from <= stall.from && stall.from.as_millis() < grace_end_ms
        };
        let from = self
            .last
            .filter(in_grace)
            .map_or(stall.from, |last| last.from);
        Stall { from, ..stall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: StallRule = StallRule {
        after_ms: 2_000,
        grace_ms: 6_000,
    };

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn stall(from: u64, until: u64) -> Option<Stall> {
        Some(Stall {
            from: at(from),
            until: at(until),
        })
    }

    #[test]
    fn the_first_reading_and_readings_in_time_find_no_stall() {
        let mut stalls = Stalls::new(RULE);
        for (time, passed) in [(50_000, 50_000), (50_250, 250), (52_250, 2_000)] {
            assert_eq!(stalls.see(at(time), passed), at(time).into());
        }
    }

    #[test]
    fn a_late_reading_is_a_stall_and_every_later_moment_carries_it() {
        let mut stalls = Stalls::new(RULE);
        stalls.see(at(50_000), 0);
        assert_eq!(stalls.see(at(58_000), 8_000).stall, stall(50_000, 58_000));
        assert_eq!(stalls.see(at(58_250), 250).stall, stall(50_000, 58_000));
    }

    #[test]
    fn a_stall_within_the_grace_of_another_is_merged_with_it_and_a_later_one_is_not() {
        let mut stalls = Stalls::new(RULE);
        stalls.see(at(50_000), 0);
        stalls.see(at(58_000), 8_000);
        stalls.see(at(63_999), 250);
        assert_eq!(stalls.see(at(70_000), 6_001).stall, stall(50_000, 70_000));
        stalls.see(at(76_000), 250);
        assert_eq!(stalls.see(at(80_000), 4_000).stall, stall(76_000, 80_000));
    }

    #[test]
    fn a_late_reading_of_a_clock_that_was_set_back_is_no_stall() {
        let mut stalls = Stalls::new(RULE);
        stalls.see(at(50_000), 0);
        assert_eq!(stalls.see(at(40_000), 8_000).stall, None);
    }
}
