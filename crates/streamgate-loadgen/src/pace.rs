//! Open loops: when requests are due, and how threads share them.

use std::time::Duration;

use crate::figures::float;
use crate::load::{Due, Ended, Left, Load, Nanos, Sent, Tally, nanos};

/// An open loop at a constant rate: every request is due at a fixed time, whatever the server does,
/// and its latency counts from then. So a stall delays every request that falls due meanwhile.
pub struct Paced {
    requests: Box<dyn Load>,
    pace: Pace,
}

/// The part of a load that one thread has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The index of the thread, from 0.
    pub index: u64,
    /// The number of threads.
    pub of: u64,
}

/// Times at a constant rate, dealt out to several threads in turn.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    gap_s: f64,
    begin: Nanos,
    share: Share,
    passed: u64,
}

impl Paced {
    /// Sends a share of `per_second` requests a second.
    #[must_use]
    pub fn new(requests: Box<dyn Load>, per_second: f64, share: Share) -> Self {
        let pace = Pace::new(per_second, 0, share);
        Self { requests, pace }
    }
}

impl Load for Paced {
    fn kinds(&self) -> &'static [&'static str] {
        self.requests.kinds()
    }

    fn due(&mut self) -> Due {
        Due::At(self.pace.due())
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent> {
        self.pace.pass();
        self.requests.next(out)
    }

    fn ended(&mut self, sent: Sent, ended: &Ended<'_>, tally: &mut Tally) {
        self.requests.ended(sent, ended, tally);
    }

    fn left(self: Box<Self>) -> Left {
        self.requests.left()
    }
}

impl Share {
    /// The whole.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// A share for each of `of` threads.
    #[must_use]
    pub fn split(of: usize) -> Vec<Self> {
        let of = of.max(1) as u64;
        (0..of).map(|index| Self { index, of }).collect()
    }

    /// How many of `total` items, dealt out in turn, are in this share.
    #[must_use]
    pub fn count(self, total: u64) -> u64 {
        (total + self.of - 1 - self.index) / self.of
    }

    /// The global index of the item at this place of the share.
    #[must_use]
    pub fn global(self, place: u64) -> u64 {
        place * self.of + self.index
    }
}

impl Pace {
    /// `per_second` over all shares, from `begin` on.
    #[must_use]
    pub fn new(per_second: f64, begin: Nanos, share: Share) -> Self {
        Self {
            gap_s: per_second.recip(),
            begin,
            share,
            passed: 0,
        }
    }

    /// When the next one is due.
    #[must_use]
    pub fn due(&self) -> Nanos {
        self.at(self.passed)
    }

    /// When one of this share is due. Counted from the beginning each time, so that no error adds
    /// up.
    pub(crate) fn at(&self, place: u64) -> Nanos {
        let after_s = float(self.share.global(place)) * self.gap_s;
        // Without a rate there is no gap, and without a gap no end of it.
        let after = Duration::try_from_secs_f64(after_s).map_or(Nanos::MAX, nanos);
        self.begin.saturating_add(after)
    }

    /// Advances to the next time.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    /// How many times have passed.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_a_pace_together_are_the_pace() {
        for (of, rate) in [(1, 20_000.0), (3, 20_000.0), (2, 0.5)] {
            let mut all = Vec::new();
            for share in Share::split(of) {
                let mut pace = Pace::new(rate, 1_000, share);
                for _ in 0..100 {
                    all.push(pace.due());
                    pace.pass();
                }
            }
            all.sort_unstable();
            for (place, due) in (0_u32..).zip(&all).take(100) {
                let expected = 1_000 + nanos(Duration::from_secs_f64(f64::from(place) / rate));
                assert!(due.abs_diff(expected) <= 1, "{of} {rate}: {due} {expected}");
            }
        }
    }

    #[test]
    fn a_pace_does_not_drift() {
        let mut pace = Pace::new(3.0, 0, Share::ALL);
        for _ in 0..3_000_000 {
            pace.pass();
        }
        assert!(pace.due().abs_diff(1_000_000 * 1_000_000_000) <= 1);
        let never = Pace::new(0.0, 7, Share { index: 1, of: 2 });
        assert_eq!(never.due(), Nanos::MAX);
    }

    #[test]
    fn shares_deal_everything_out_once() {
        let shares = Share::split(3);
        let all = |share: &Share| {
            let share = *share;
            (0..share.count(8)).map(move |place| share.global(place))
        };
        let mut dealt: Vec<u64> = shares.iter().flat_map(all).collect();
        dealt.sort_unstable();
        assert_eq!(dealt, (0..8).collect::<Vec<_>>());
    }
}
