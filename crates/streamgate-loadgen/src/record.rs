//! Counts and latencies, per second and in total.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::figures::float;
use crate::latency::{Latencies, round};
use crate::load::{Nanos, Tally};

/// The part of a drive that counts: requests due in this time.
///
/// Earlier requests are sent but not counted, to warm up connections, caches and branch predictors.
/// A request due in the span counts even if it is answered later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub(crate) begin: Nanos,
    pub(crate) end: Nanos,
}

/// The results of one kind of request.
#[derive(Debug, Clone, Default)]
pub struct KindRecord {
    /// How often each outcome occurred.
    pub tally: Tally,
    /// From when each request was due to its end, whatever the outcome.
    pub latencies: Latencies,
}

/// Everything that was counted.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// By kind, in the order of the load's kinds.
    pub kinds: Vec<KindRecord>,
    /// How late requests were sent although a connection was free: the generator's own delay.
    pub lateness: Latencies,
    /// Outcomes of requests due before the span.
    pub before: Tally,
    /// Connections that were lost, or could not be made.
    pub connections_lost: u64,
}

/// One second of a drive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Its end, in seconds since the beginning of the span; 0 or less before the span.
    pub at_s: f64,
    /// Its length; the last may be shorter than the others.
    pub length_s: f64,
    /// Requests that ended in it. Before the span, all of them; from then on those that count.
    pub requests: u64,
    /// How many of them were errors.
    pub errors: u64,
    /// Their latencies in milliseconds.
    pub p50_ms: f64,
    /// As above.
    pub p99_ms: f64,
    /// As above.
    pub max_ms: f64,
    /// Resident memory of the servers at its end; 0 if none is measured.
    #[serde(default)]
    pub resident_bytes: u64,
}

impl Span {
    /// The time measured after a warm-up.
    #[must_use]
    pub fn of(warm_up: Duration, measured: Duration) -> Self {
        let begin = crate::load::nanos(warm_up);
        Self {
            begin,
            end: begin.saturating_add(crate::load::nanos(measured)),
        }
    }

    /// The whole drive, for a load that ends by itself.
    #[must_use]
    pub fn all() -> Self {
        Self {
            begin: 0,
            end: Nanos::MAX,
        }
    }

    pub(crate) fn counts(&self, due: Nanos) -> bool {
        (self.begin..self.end).contains(&due)
    }

    /// When the second of this number ends. Seconds are counted from the beginning of the drive,
    /// and one ends where the span begins.
    pub(crate) fn end_of_second(&self, number: u64) -> Nanos {
        const SECOND: Nanos = 1_000_000_000;
        let before = self.begin.div_ceil(SECOND);
        if number < before {
            ((number + 1) * SECOND).min(self.begin)
        } else {
            self.begin + (number - before + 1) * SECOND
        }
    }

    /// When it begins.
    pub(crate) fn begin_of_second(&self, number: u64) -> Nanos {
        number
            .checked_sub(1)
            .map_or(0, |before| self.end_of_second(before))
    }
}

impl Record {
    /// An empty record of this number of kinds.
    #[must_use]
    pub fn of_kinds(kinds: usize) -> Self {
        Self {
            kinds: vec![KindRecord::default(); kinds],
            ..Self::default()
        }
    }

    /// All outcomes.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut all = Tally::default();
        for kind in &self.kinds {
            all.merge(&kind.tally);
        }
        all
    }

    /// All latencies.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        let mut all = Latencies::new();
        for kind in &self.kinds {
            all.merge(&kind.latencies);
        }
        all
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.kinds.len() < other.kinds.len() {
            self.kinds
                .resize_with(other.kinds.len(), KindRecord::default);
        }
        for (kind, others) in self.kinds.iter_mut().zip(&other.kinds) {
            kind.tally.merge(&others.tally);
            kind.latencies.merge(&others.latencies);
        }
        self.lateness.merge(&other.lateness);
        self.before.merge(&other.before);
        self.connections_lost += other.connections_lost;
    }

    /// The record as a second from `begin` to `end`.
    pub(crate) fn second(&self, span: &Span, begin: Nanos, end: Nanos) -> Second {
        let (tally, latencies) = (self.tally(), self.latencies());
        let is_before = end <= span.begin;
        let counted = if is_before { &self.before } else { &tally };
        let since_begin = seconds(end.saturating_sub(span.begin));
        Second {
            at_s: if is_before {
                round(-seconds(span.begin - end))
            } else {
                round(since_begin)
            },
            length_s: round(seconds(end - begin)),
            requests: counted.total(),
            errors: counted.errors(),
            p50_ms: latencies.at_ms(0.5),
            p99_ms: latencies.at_ms(0.99),
            max_ms: latencies.max_ms(),
            resident_bytes: 0,
        }
    }
}

impl Second {
    /// Requests a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.rate(self.requests)
    }

    /// Errors a second.
    #[must_use]
    pub fn errors_per_second(&self) -> f64 {
        self.rate(self.errors)
    }

    fn rate(&self, count: u64) -> f64 {
        float(count) / self.length_s.max(1e-3)
    }
}

pub(crate) fn seconds(nanos: Nanos) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_ends_where_the_span_begins() {
        let span = Span::of(Duration::from_millis(2_500), Duration::from_secs(2));
        let ends: Vec<Nanos> = (0..5).map(|n| span.end_of_second(n) / 1_000_000).collect();
        assert_eq!(ends, [1_000, 2_000, 2_500, 3_500, 4_500]);
        assert_eq!(span.begin_of_second(0), 0);
        assert_eq!(span.begin_of_second(3), span.begin);
        let whole = Span::all();
        assert_eq!(whole.end_of_second(0), 1_000_000_000);
        assert!(whole.counts(0) && !span.counts(2_499_999_999) && !span.counts(span.end));
    }
}
