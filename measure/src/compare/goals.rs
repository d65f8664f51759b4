//! What is asked of Streamgate, and whether this run shows it.

use std::fmt;

use serde::Serialize;
use streamgate_loadgen::figures;

use super::figures::{Figure, Measurement, Spread, ratios};
use super::subject::{FASTER, SLOWER};

/// What is compared with what.
#[derive(Debug, Clone)]
struct Question {
    name: String,
    /// The id of the subject in question.
    of: String,
    figure: Figure,
    /// The id of the subject it is divided by; nothing, for a figure that stands for itself.
    against: Option<String>,
    goal: Option<Goal>,
}

/// From here on, figures are read by their thousands.
pub(crate) const MANY: f64 = 1_000.0;

/// A bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
}

/// What a run says to a question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Finding {
    pub(crate) name: String,
    /// Whether it is so many times as much, or a figure that stands for itself.
    pub(crate) is_ratio: bool,
    /// Of what.
    #[serde(skip)]
    pub(crate) figure: Figure,
    pub(crate) each_round: Vec<f64>,
    pub(crate) spread: Spread,
    #[serde(serialize_with = "as_text")]
    pub(crate) goal: Option<Goal>,
    pub(crate) reached: Option<bool>,
}

impl Goal {
    /// Whether a median is good enough.
    fn is_reached(self, median: f64) -> bool {
        match self {
            Self::AtMost(bound) => median <= bound,
            Self::AtLeast(bound) => median >= bound,
            Self::Below(bound) => median < bound,
        }
    }

    /// Where the line is.
    pub(crate) fn bound(self) -> f64 {
        match self {
            Self::AtMost(bound) | Self::AtLeast(bound) | Self::Below(bound) => bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self {
            Self::AtMost(_) => "≤",
            Self::AtLeast(_) => "≥",
            Self::Below(_) => "<",
        };
        match self.bound() {
            bound @ ..MANY => write!(f, "{sign} {bound}"),
            bound => write!(f, "{sign} {}", figures::rate(bound)),
        }
    }
}

fn as_text<S: serde::Serializer>(goal: &Option<Goal>, serializer: S) -> Result<S::Ok, S::Error> {
    match goal {
        Some(goal) => serializer.collect_str(goal),
        None => serializer.serialize_none(),
    }
}

impl Finding {
    /// In words.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.reached {
            Some(true) => "reached",
            Some(false) => "not reached",
            None => "–",
        }
    }
}

/// The answers to all questions about what was measured.
pub(crate) fn findings(all: &[Measurement]) -> Vec<Finding> {
    let builds = all.iter().map(|it| it.subject.build).max().unwrap_or(1);
    let questions = goals()
        .into_iter()
        .chain((2..=builds).flat_map(between_builds));
    questions
        .filter_map(|question| question.answer(all))
        .collect()
}

/// What is asked, in the words and figures of the targets, and then what says how to read it.
fn goals() -> Vec<Question> {
    use Figure::{CpuUs, P99Ms, RequestsPerS};
    let mut all = Vec::new();
    let mut ask = |name: &str, of: &str, figure, against: Option<&str>, goal| {
        all.push(Question {
            name: name.to_owned(),
            of: format!("streamgate-{of}"),
            figure,
            against: against.map(str::to_owned),
            goal,
        });
    };
    for (name, of, cpu, throughput) in [
        ("heartbeat", "heartbeat", 1.2, 0.85),
        ("durable start", "start", 1.45, 0.7),
        ("durable stop", "stop", 1.45, 0.7),
    ] {
        let (cpu, throughput) = (Goal::AtMost(cpu), Goal::AtLeast(throughput));
        for (what, figure, goal) in [
            ("CPU", CpuUs, cpu),
            ("throughput", RequestsPerS, throughput),
        ] {
            let name = format!("{name}, {what} ÷ bare axum");
            ask(&name, of, figure, Some("axum-start"), Some(goal));
        }
    }
    let name = "durable start, CPU ÷ Redis alone, AOF always";
    let redis = Some("redis-always-start");
    ask(name, "start", CpuUs, redis, Some(Goal::Below(1.0)));
    let name = "heartbeats a second in batches, half of two cores for the load";
    let a_million = Goal::AtLeast(1_000_000.0);
    ask(name, "batch", RequestsPerS, None, Some(a_million));
    for (rate, most_ms) in [(SLOWER, 3.0), (FASTER, 5.0)] {
        let name = format!("durable start at {}/s, p99", figures::rate(rate));
        let of = format!("start-at-{rate}");
        let (in_ms, of_disk) = (format!("{name} in ms"), format!("{name} ÷ the disk alone"));
        ask(&in_ms, &of, P99Ms, None, Some(Goal::AtMost(most_ms)));
        let disk = format!("disk-{of}");
        ask(&of_disk, &of, P99Ms, Some(&disk), None);
    }
    let axum = Some("axum-heartbeat");
    for (what, figure) in [("CPU", CpuUs), ("throughput", RequestsPerS)] {
        let name = format!("heartbeat, {what} ÷ bare axum's heartbeat");
        ask(&name, "heartbeat", figure, axum, None);
    }
    let name = "heartbeat, CPU ÷ Redis alone, AOF always";
    ask(
        name,
        "heartbeat",
        CpuUs,
        Some("redis-always-heartbeat"),
        None,
    );
    all
}

/// How another build does beside that of this tree.
fn between_builds(build: usize) -> Vec<Question> {
    use Figure::{CpuUs, P99Ms, RequestsPerS};
    let closed = |doing: &str| {
        let of = (doing.to_owned(), doing.to_owned());
        [("CPU", CpuUs), ("throughput", RequestsPerS)].map(|figure| (of.clone(), figure))
    };
    let open = |rate: f64| {
        let of = (
            format!("start-at-{rate}"),
            format!("start at {}/s", figures::rate(rate)),
        );
        [("CPU", CpuUs), ("p99", P99Ms)].map(|figure| (of.clone(), figure))
    };
    let all = ["heartbeat", "start", "stop", "batch"]
        .into_iter()
        .flat_map(closed);
    let all = all.chain([SLOWER, FASTER].into_iter().flat_map(open));
    all.map(|((id, name), (what, figure))| Question {
        name: format!("build {build}, {name}, {what} ÷ build 1"),
        of: format!("streamgate-{id}@{build}"),
        figure,
        against: Some(format!("streamgate-{id}")),
        goal: None,
    })
    .collect()
}

impl Question {
    /// Nothing, where what it is about was not measured.
    fn answer(self, all: &[Measurement]) -> Option<Finding> {
        let each = |id: &str| {
            let measurement = all.iter().find(|it| it.subject.id == id)?;
            Some(measurement.each(self.figure))
        };
        let of = each(&self.of)?;
        let each_round = match &self.against {
            Some(against) => ratios(&of, &each(against)?),
            None => of,
        };
        let spread = Spread::of(&each_round);
        Some(Finding {
            name: self.name,
            is_ratio: self.against.is_some(),
            figure: self.figure,
            each_round,
            spread,
            goal: self.goal,
            reached: self.goal.map(|goal| goal.is_reached(spread.median)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::figures::tests::measurement;
    use crate::compare::subject::{all, only};

    /// Measurements of some subjects: processor time and requests a second of each round.
    fn measured(of: &[(&str, &[(f64, f64)])]) -> Vec<Measurement> {
        let subjects = all(&["a".into(), "b".into()]);
        let find = |id: &str| subjects.iter().find(|it| it.id == id).unwrap().clone();
        of.iter()
            .map(|(id, rounds)| measurement(find(id), rounds))
            .collect()
    }

    fn verdicts(all: &[Measurement]) -> Vec<(String, f64, &'static str)> {
        let findings = findings(all);
        let one = |it: &Finding| (it.name.clone(), it.spread.median, it.verdict());
        findings.iter().map(one).collect()
    }

    #[test]
    fn ratios_are_taken_round_by_round_and_held_against_the_targets() {
        let all = measured(&[
            ("axum-start", &[(10.0, 100.0), (20.0, 50.0), (10.0, 80.0)]),
            (
                "streamgate-heartbeat",
                &[(12.0, 84.0), (24.0, 42.0), (11.0, 80.0)],
            ),
            (
                "streamgate-start",
                &[(15.0, 70.0), (28.0, 35.0), (16.0, 80.0)],
            ),
        ]);
        let expected = [
            ("heartbeat, CPU ÷ bare axum", 1.2, "reached"),
            ("heartbeat, throughput ÷ bare axum", 0.84, "not reached"),
            ("durable start, CPU ÷ bare axum", 1.5, "not reached"),
            ("durable start, throughput ÷ bare axum", 0.7, "reached"),
        ];
        for ((name, median, verdict), expected) in verdicts(&all).iter().zip(expected) {
            assert_eq!((name.as_str(), *verdict), (expected.0, expected.2));
            assert!((median - expected.1).abs() < 1e-9, "{name} {median}");
        }
        assert_eq!(
            verdicts(&all).len(),
            expected.len(),
            "the others were not measured"
        );
    }

    #[test]
    fn to_cost_as_much_as_redis_is_too_much() {
        let all = measured(&[
            ("streamgate-start", &[(15.0, 1.0)]),
            ("redis-always-start", &[(15.0, 1.0)]),
            ("streamgate-start-at-20000", &[(30.0, 1.0)]),
            ("streamgate-start-at-50000", &[(50.1, 1.0)]),
        ]);
        let verdicts: Vec<&str> = verdicts(&all).iter().map(|it| it.2).collect();
        // The last is 5.01 ms.
        assert_eq!(verdicts, ["not reached", "reached", "not reached"]);
    }

    #[test]
    fn heartbeats_in_batches_are_asked_for_by_the_million() {
        let all = measured(&[("streamgate-batch", &[(1.4, 999_999.0)])]);
        assert_eq!(verdicts(&all).first().unwrap().2, "not reached");
        let goal = findings(&all).first().unwrap().goal.unwrap();
        assert_eq!(goal.to_string(), "≥ 1,000,000");
        assert_eq!(Goal::AtMost(1.45).to_string(), "≤ 1.45");
    }

    #[test]
    fn the_disk_alone_stands_beside_the_latencies_and_asks_nothing() {
        let all = measured(&[
            ("streamgate-start-at-20000", &[(30.0, 1.0), (90.0, 1.0)]),
            ("disk-start-at-20000", &[(10.0, 1.0), (15.0, 1.0)]),
        ]);
        let found = verdicts(&all);
        let names: Vec<&str> = found.iter().map(|it| it.0.as_str()).collect();
        assert_eq!(
            names,
            [
                "durable start at 20,000/s, p99 in ms",
                "durable start at 20,000/s, p99 ÷ the disk alone"
            ]
        );
        assert!((found[1].1 - 4.5).abs() < 1e-9 && found[1].2 == "–");
    }

    #[test]
    fn builds_are_held_against_the_one_of_this_tree() {
        let all = measured(&[
            ("streamgate-start", &[(10.0, 100.0)]),
            ("streamgate-start@2", &[(12.0, 90.0)]),
        ]);
        let found = verdicts(&all);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].0, "build 2, start, CPU ÷ build 1");
        assert!(
            (found[0].1 - 1.2).abs() < 1e-9 && (found[1].1 - 0.9).abs() < 1e-9,
            "{found:?}"
        );
    }

    #[test]
    fn every_question_is_about_something_that_is_measured() {
        let subjects = only(all(&["a".into(), "b".into()]), &[]).unwrap();
        let one = |subject| measurement(subject, &[(1.0, 1.0)]);
        let all: Vec<Measurement> = subjects.into_iter().map(one).collect();
        assert_eq!(
            findings(&all).len(),
            goals().len() + between_builds(2).len()
        );
    }
}
