//! What a node did in one second, and a ring of the last hour of them.

use streamgate_core::EndReason;
use streamgate_core::bounds::STATS_WINDOW_MAX_S;

/// Longest steps of a window, in seconds: its last whole one ends up to a step before now.
pub(super) const STEP_MAX_S: u32 = 10;

/// Seconds that are kept.
const KEPT: usize = STATS_WINDOW_MAX_S as usize + STEP_MAX_S as usize;

/// A sample that is late by this many seconds or fewer counts for each of them; if it is later, the
/// node stood still.
const LATE_MAX_S: u64 = 3;

/// Counts of one second, and levels at its end.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Second {
    pub(super) starts: u32,
    pub(super) refusals: u32,
    pub(super) heartbeats: u32,
    /// In the order of [`EndReason::ALL`].
    pub(super) ended: [u32; EndReason::ALL.len()],
    pub(super) live_sessions: u32,
    pub(super) watching_users: u32,
    pub(super) p50_ms: Option<f32>,
    pub(super) p99_ms: Option<f32>,
}

/// The last hour, a value a second, in fixed memory. Seconds have numbers: of a
/// clock that no step of the wall clock moves.
#[derive(Debug)]
pub(super) struct Ring {
    seconds: Box<[Option<Second>]>,
    /// The last second that is there.
    last: Option<u64>,
}

impl Second {
    /// The part of this that falls on one of `parts` seconds. The parts add up to the whole.
    fn part(&self, index: u64, parts: u64) -> Self {
        let of = |count: u32| {
            let up_to = |n| u64::from(count) * n / parts;
            u32::try_from(up_to(index + 1) - up_to(index)).unwrap_or(u32::MAX)
        };
        Self {
            starts: of(self.starts),
            refusals: of(self.refusals),
            heartbeats: of(self.heartbeats),
            ended: self.ended.map(of),
            ..*self
        }
    }

    /// Two samples of the same second.
    fn merged(self, later: &Self) -> Self {
        let mut ended = self.ended;
        for (sum, more) in ended.iter_mut().zip(later.ended) {
            *sum = sum.saturating_add(more);
        }
        Self {
            starts: self.starts.saturating_add(later.starts),
            refusals: self.refusals.saturating_add(later.refusals),
            heartbeats: self.heartbeats.saturating_add(later.heartbeats),
            ended,
            live_sessions: later.live_sessions,
            watching_users: later.watching_users,
            p50_ms: later.p50_ms.or(self.p50_ms),
            p99_ms: larger(self.p99_ms, later.p99_ms),
        }
    }
}

/// The larger of two values that may be missing.
fn larger(one: Option<f32>, other: Option<f32>) -> Option<f32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

impl Ring {
    /// The node has not run yet.
    pub(super) fn new() -> Self {
        Self {
            seconds: vec![None; KEPT].into(),
            last: None,
        }
    }

    /// The last second that is there.
    pub(super) const fn last(&self) -> Option<u64> {
        self.last
    }

    /// A second that is there; `None` if the node did not run then, or it is too long ago.
    pub(super) fn get(&self, number: u64) -> Option<&Second> {
        let last = self.last?;
        if number > last || last - number >= KEPT as u64 {
            return None;
        }
        self.seconds[place(number)].as_ref()
    }

    /// Adds what happened since the sample before, which is told in this second.
    pub(super) fn add(&mut self, number: u64, sample: Second) {
        let Some(last) = self.last else {
            return self.put(number, sample);
        };
        let Some(ahead) = number.checked_sub(last).filter(|ahead| *ahead > 0) else {
            // Two samples in one second: its timer was early.
            let merged = self.get(last).map(|known| known.merged(&sample));
            self.seconds[place(last)] = merged.or(Some(sample));
            return;
        };
        if ahead <= LATE_MAX_S {
            for index in 0..ahead {
                self.put(last + 1 + index, sample.part(index, ahead));
            }
            return;
        }
        for missing in (last + 1..number).take(KEPT) {
            self.seconds[place(missing)] = None;
        }
        self.put(number, sample);
    }

    fn put(&mut self, number: u64, second: Second) {
        self.seconds[place(number)] = Some(second);
        self.last = Some(number);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "less than the length")]
const fn place(number: u64) -> usize {
    (number % KEPT as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(starts: u32) -> Second {
        Second {
            starts,
            ..Second::default()
        }
    }

    fn found(ring: &Ring, numbers: impl IntoIterator<Item = u64>) -> Vec<Option<u32>> {
        let starts = |number| ring.get(number).map(|second| second.starts);
        numbers.into_iter().map(starts).collect()
    }

    #[test]
    fn the_ring_keeps_an_hour_and_forgets_what_is_older() {
        let mut ring = Ring::new();
        assert_eq!(ring.get(7), None);
        for number in 100..100_000 {
            ring.add(number, starts(u32::try_from(number).unwrap()));
        }
        assert_eq!(ring.last(), Some(99_999));
        assert_eq!(found(&ring, [99_999, 100_000]), [Some(99_999), None]);
        let oldest = 100_000 - KEPT as u64;
        assert_eq!(found(&ring, [oldest - 1]), [None]);
        assert_eq!(
            ring.get(oldest).map(|it| u64::from(it.starts)),
            Some(oldest)
        );
        assert_eq!(ring.seconds.len(), KEPT);
    }

    #[test]
    fn a_late_sample_counts_for_the_seconds_that_it_covers() {
        let mut ring = Ring::new();
        ring.add(10, starts(1));
        ring.add(12, starts(5));
        ring.add(12, starts(2));
        assert_eq!(found(&ring, 9..14), [None, Some(1), Some(2), Some(5), None]);
        ring.add(15, starts(10));
        assert_eq!(found(&ring, 13..16), [Some(3), Some(3), Some(4)]);
    }

    #[test]
    fn seconds_in_which_the_node_stood_still_are_missing() {
        let mut ring = Ring::new();
        for number in 0..20 {
            ring.add(number, starts(1));
        }
        ring.add(24, starts(9));
        assert_eq!(
            found(&ring, 19..25),
            [Some(1), None, None, None, None, Some(9)]
        );
        // Longer than the ring: nothing of before is taken for a later second.
        ring.add(24 + 3 * KEPT as u64, starts(1));
        assert_eq!(ring.seconds.iter().flatten().count(), 1);
    }
}
