//! Latency histograms: every latency is counted, none is sampled.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::figures::float;
use crate::load::Nanos;

/// Resolution below this is lost; above it, values are exact to a thousandth.
const LOWEST: Nanos = 1_000;

/// Longer ones count as this: twenty minutes.
const HIGHEST: Nanos = 1_200_000_000_000;

/// Points of a plotted distribution for each halving of the distance to 100 percent.
const POINTS_PER_HALVING: u32 = 8;

/// A histogram of latencies.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

/// A summary of latencies, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LatencyMs {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
    pub mean: f64,
}

/// A point of a distribution: this share of all latencies was at most `ms`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// The share in percent.
    pub percent: f64,
    /// The latency in milliseconds.
    pub ms: f64,
}

impl Latencies {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(LOWEST, HIGHEST, 3);
        Self(histogram.expect("the bounds are in order"))
    }

    /// Counts one.
    pub fn record(&mut self, latency: Nanos) {
        self.0.saturating_record(latency);
    }

    /// The number of latencies.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Adds the latencies of another.
    pub fn merge(&mut self, other: &Self) {
        let merged = self.0.add(&other.0);
        merged.expect("all have the same bounds");
    }

    /// The latency that a share of all does not exceed, from 0 to 1, in milliseconds.
    #[must_use]
    pub fn at_ms(&self, share: f64) -> f64 {
        ms(self.0.value_at_quantile(share))
    }

    /// The longest, in milliseconds.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        ms(self.0.max())
    }

    /// Their summary.
    #[must_use]
    pub fn summary(&self) -> LatencyMs {
        LatencyMs {
            p50: self.at_ms(0.5),
            p90: self.at_ms(0.9),
            p99: self.at_ms(0.99),
            p99_9: self.at_ms(0.999),
            max: self.max_ms(),
            mean: round(self.0.mean() / 1e6),
        }
    }

    /// The distribution, finer towards its end, where it matters.
    #[must_use]
    pub fn distribution(&self) -> Vec<Quantile> {
        let points = self
            .0
            .iter_quantiles(POINTS_PER_HALVING)
            .map(|point| Quantile {
                percent: point.quantile_iterated_to() * 100.0,
                ms: ms(point.value_iterated_to().min(self.0.max())),
            });
        points.collect()
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

/// Milliseconds, to the microsecond.
fn ms(nanos: Nanos) -> f64 {
    round(float(nanos) / 1e6)
}

/// Rounds to three decimals, the precision of the measurement.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(latencies_ms: impl IntoIterator<Item = u64>) -> Latencies {
        let mut all = Latencies::new();
        for latency in latencies_ms {
            all.record(latency * 1_000_000);
        }
        all
    }

    #[track_caller]
    fn about(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= expected * 0.002,
            "{found} {expected}"
        );
    }

    #[test]
    fn percentiles_are_those_of_all_that_were_counted() {
        let mut all = of(1..=500);
        all.merge(&of(501..=1_000));
        let summary = all.summary();
        about(summary.p50, 500.0);
        about(summary.p90, 900.0);
        about(summary.p99, 990.0);
        about(summary.p99_9, 999.0);
        about(summary.max, 1_000.0);
        about(summary.mean, 500.5);
        assert_eq!(all.count(), 1_000);
        assert_eq!(Latencies::new().summary(), LatencyMs::default());
    }

    #[test]
    fn latencies_beyond_the_histogram_count_as_the_longest() {
        let mut all = Latencies::new();
        all.record(Nanos::MAX);
        assert_eq!(all.count(), 1);
        assert!(all.max_ms() >= 1_200_000.0);
    }

    #[test]
    fn a_distribution_rises_to_the_longest() {
        let points = of((1..=1_000).map(|n| n * n)).distribution();
        let rises =
            |pair: &[Quantile]| pair[0].percent <= pair[1].percent && pair[0].ms <= pair[1].ms;
        assert!(points.windows(2).all(rises), "{points:?}");
        let last = points.last().unwrap();
        assert!(last.percent >= 100.0);
        about(last.ms, 1_000_000.0);
        assert!(points.len() < 200, "{}", points.len());
    }
}
