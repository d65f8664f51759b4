//! Figures of several rounds: medians, ranges, and ratios round by round.

use serde::Serialize;

use super::round::Round;
use super::subject::Subject;
use crate::meter::median;

/// What was measured of a subject in all rounds.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    pub(crate) subject: Subject,
    pub(crate) rounds: Vec<Round>,
}

/// What several rounds say of one figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// A figure of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    RequestsPerS,
    CpuUs,
    P50Ms,
    P99Ms,
    P999Ms,
    MemoryBytes,
    Sessions,
    GeneratorBusy,
    /// How late requests of an open loop were sent, through no fault of the server.
    LatenessP99Ms,
    OthersBusy,
}

impl Figure {
    fn of(self, round: &Round) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let whole = |count: u64| count as f64;
        let Round { measured, .. } = round;
        match self {
            Self::RequestsPerS => measured.requests_per_s,
            Self::CpuUs => round.cpu_us_per_request,
            Self::P50Ms => measured.latency_ms.p50,
            Self::P99Ms => measured.latency_ms.p99,
            Self::P999Ms => measured.latency_ms.p99_9,
            Self::MemoryBytes => whole(round.memory_bytes.unwrap_or_default()),
            Self::Sessions => whole(round.sessions.unwrap_or_default()),
            Self::GeneratorBusy => measured.generator.busy,
            Self::OthersBusy => round.others_busy,
            Self::LatenessP99Ms => measured.generator.lateness_ms.map_or(0.0, |late| late.p99),
        }
    }
}

impl Measurement {
    /// A figure, round by round.
    pub(crate) fn each(&self, figure: Figure) -> Vec<f64> {
        self.rounds.iter().map(|round| figure.of(round)).collect()
    }

    /// What all rounds say of it.
    pub(crate) fn spread(&self, figure: Figure) -> Spread {
        Spread::of(&self.each(figure))
    }

    /// The round whose p99 is the one in the middle: the one to draw.
    pub(crate) fn typical(&self) -> Option<&Round> {
        let mut rounds: Vec<&Round> = self.rounds.iter().collect();
        rounds.sort_by(|one, other| Figure::P99Ms.of(one).total_cmp(&Figure::P99Ms.of(other)));
        rounds.get(rounds.len() / 2).copied()
    }
}

impl Spread {
    /// Of the values of at least one round.
    pub(crate) fn of(values: &[f64]) -> Self {
        Self {
            median: median(values.to_vec()),
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// The range, where there was more than one round.
    pub(crate) fn range(self, rounds: usize) -> Option<(f64, f64)> {
        (rounds > 1).then_some((self.least, self.most))
    }
}

/// How many times as much it was, round by round: what slowed the machine down in a round slowed
/// both down.
pub(crate) fn ratios(of: &[f64], against: &[f64]) -> Vec<f64> {
    of.iter()
        .zip(against)
        .map(|(of, against)| of / against)
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A measurement with these values of processor time and requests a second.
    pub(crate) fn measurement(subject: Subject, cpu_and_per_s: &[(f64, f64)]) -> Measurement {
        let round = |(cpu_us_per_request, requests_per_s): &(f64, f64)| {
            let mut round = Round {
                cpu_us_per_request: *cpu_us_per_request,
                ..Round::default()
            };
            round.measured.requests_per_s = *requests_per_s;
            round.measured.latency_ms.p99 = *cpu_us_per_request / 10.0;
            round
        };
        Measurement {
            subject,
            rounds: cpu_and_per_s.iter().map(round).collect(),
        }
    }

    #[test]
    fn a_spread_is_the_middle_and_both_ends() {
        let spread = Spread::of(&[3.0, 9.0, 1.0, 2.0, 8.0]);
        let expected = Spread {
            median: 3.0,
            least: 1.0,
            most: 9.0,
        };
        assert_eq!(spread, expected);
        assert_eq!(spread.range(5), Some((1.0, 9.0)));
        assert_eq!(Spread::of(&[7.0]).range(1), None);
    }

    #[test]
    fn the_median_of_ratios_is_not_the_ratio_of_medians() {
        // In the second round the machine was half as fast, for both.
        let (of, against) = ([12.0, 30.0, 13.0], [10.0, 20.0, 10.0]);
        let spread = Spread::of(&ratios(&of, &against));
        let expected = Spread {
            median: 1.3,
            least: 1.2,
            most: 1.5,
        };
        assert_eq!(spread, expected);
    }

    #[test]
    fn the_typical_round_is_the_one_in_the_middle() {
        let subject = crate::compare::subject::all(&[]).remove(0);
        let measurement = measurement(subject, &[(30.0, 1.0), (10.0, 2.0), (20.0, 3.0)]);
        let typical = measurement.typical().unwrap();
        assert!((typical.measured.requests_per_s - 3.0).abs() < 1e-9);
    }
}
