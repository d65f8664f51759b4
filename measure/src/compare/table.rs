//! What is compared and what is asked of it, read from `compare.toml`; and the answers.

use serde::{Deserialize, Serialize};
use streamgate_loadgen::figures::rate;

use super::round::Round;
use crate::Result;
use crate::figures::{Spread, ratios};

/// What is compared, and what is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) subjects: Vec<Subject>,
    pub(super) goals: Vec<Goal>,
}

/// Something that is measured in every round.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Subject {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) server: Server,
    pub(super) does: Doing,
    /// Requests a second, in an open loop.
    pub(super) per_second: Option<f64>,
    /// Which build of Streamgate; 0 is the first.
    #[serde(default)]
    pub(super) build: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Server {
    Axum,
    Streamgate,
    RedisNone,
    RedisEverysec,
    RedisAlways,
    Disk,
    BusyDisk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Doing {
    Start,
    Heartbeat,
    Stop,
    Batch,
    Fdatasync,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Figure {
    CpuUs,
    RequestsPerS,
    P50Ms,
    P99Ms,
    #[serde(rename = "p99_9_ms")]
    P999Ms,
    MemoryMib,
    GeneratorBusy,
}

/// A question: a figure of a subject, or how many times that of another it is.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Goal {
    pub(super) name: String,
    pub(super) figure: Figure,
    of: String,
    pub(super) against: Option<String>,
    pub(super) bound: Option<Bound>,
}

/// What the answer should be.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
}

/// All rounds of a subject.
#[derive(Debug, Serialize)]
pub(super) struct Measurement {
    #[serde(flatten)]
    pub(super) subject: Subject,
    pub(super) rounds: Vec<Round>,
}

/// The answer to a question.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    #[serde(flatten)]
    pub(super) goal: Goal,
    pub(super) spread: Spread,
    /// Whether the median is within the bound, if there is one.
    pub(super) reached: Option<bool>,
}

impl Table {
    /// The table for this number of builds, with the subjects that `only` names, or all.
    ///
    /// # Errors
    ///
    /// Fails if a word names nothing: a typing error must not look like a result.
    pub(super) fn read(builds: usize, only: &[String]) -> Result<Self> {
        let mut table: Self = toml::from_str(include_str!("compare.toml"))?;
        let all = std::mem::take(&mut table.subjects);
        for word in only {
            if !all.iter().any(|it| is_named(&it.id, word)) {
                let ids: Vec<&str> = all.iter().map(|it| it.id.as_str()).collect();
                return Err(format!("--only {word} names none of: {}", ids.join(", ")).into());
            }
        }
        let is_chosen =
            |it: &Subject| only.is_empty() || only.iter().any(|word| is_named(&it.id, word));
        for subject in all.into_iter().filter(is_chosen) {
            let is_ours = subject.server == Server::Streamgate;
            table.subjects.push(subject.clone());
            for build in (1..builds).filter(|_| is_ours) {
                table.add_build(&subject, build);
            }
        }
        Ok(table)
    }

    /// The subject again with another build, and how the two compare.
    fn add_build(&mut self, subject: &Subject, build: usize) {
        let number = build + 1;
        let other = Subject {
            id: format!("{}@{number}", subject.id),
            name: format!("{}, build {number}", subject.name),
            build,
            ..subject.clone()
        };
        let (figure, word) = match subject.per_second {
            None => (Figure::RequestsPerS, "throughput"),
            Some(_) => (Figure::P99Ms, "p99"),
        };
        for (figure, word) in [(Figure::CpuUs, "CPU"), (figure, word)] {
            self.goals.push(Goal {
                name: format!("{}, {word} ÷ build 1", other.name),
                figure,
                of: other.id.clone(),
                against: Some(subject.id.clone()),
                bound: None,
            });
        }
        self.subjects.push(other);
    }
}

/// Whether the word is the id, or the beginning of it up to a hyphen.
fn is_named(id: &str, word: &str) -> bool {
    let rest = id.strip_prefix(word);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

impl Measurement {
    /// A figure of every round that has it.
    pub(super) fn each(&self, figure: Figure) -> Vec<f64> {
        self.rounds
            .iter()
            .filter_map(|round| figure.of(round))
            .collect()
    }
}

impl Bound {
    /// The sign, and the number.
    fn parts(self) -> (&'static str, f64) {
        match self {
            Self::AtMost(bound) => ("≤", bound),
            Self::AtLeast(bound) => ("≥", bound),
            Self::Below(bound) => ("<", bound),
        }
    }

    /// The number.
    pub(super) fn value(self) -> f64 {
        self.parts().1
    }

    /// The bound for people.
    pub(super) fn text(self) -> String {
        match self.parts() {
            (sign, bound @ ..1_000.0) => format!("{sign} {bound}"),
            (sign, bound) => format!("{sign} {}", rate(bound)),
        }
    }

    fn is_reached(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
            Self::Below(bound) => value < bound,
        }
    }
}

impl Goal {
    /// Its answer; `None` if a subject was not measured.
    fn answer(&self, all: &[Measurement]) -> Option<Finding> {
        let each = |id: &str| {
            let measurement = all.iter().find(|it| it.subject.id == id)?;
            Some(measurement.each(self.figure))
        };
        let mut values = each(&self.of)?;
        if let Some(against) = &self.against {
            values = ratios(&values, &each(against)?);
        }
        let spread = Spread::of(&values)?;
        Some(Finding {
            goal: self.clone(),
            spread,
            reached: self.bound.map(|bound| bound.is_reached(spread.median)),
        })
    }
}

/// The answers to all questions about what was measured.
pub(super) fn findings(goals: &[Goal], all: &[Measurement]) -> Vec<Finding> {
    goals.iter().filter_map(|goal| goal.answer(all)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(only: &[&str]) -> Result<Table> {
        let only: Vec<String> = only.iter().map(|&word| word.to_owned()).collect();
        Table::read(2, &only)
    }

    fn ids(only: &[&str]) -> Vec<String> {
        table(only)
            .unwrap()
            .subjects
            .into_iter()
            .map(|it| it.id)
            .collect()
    }

    /// Measurements of some subjects: processor time (a tenth of it is the p99) and requests a
    /// second of each round.
    fn verdicts(of: &[(&str, &[(f64, f64)])]) -> Vec<(String, f64, Option<bool>)> {
        let table = table(&[]).unwrap();
        let measured = |(id, rounds): &(&str, &[(f64, f64)])| Measurement {
            subject: table
                .subjects
                .iter()
                .find(|it| it.id == *id)
                .unwrap()
                .clone(),
            rounds: rounds
                .iter()
                .map(|(cpu_us, requests_per_s)| Round {
                    cpu_us: *cpu_us,
                    requests_per_s: *requests_per_s,
                    p99_ms: cpu_us / 10.0,
                    ..Round::default()
                })
                .collect(),
        };
        let all: Vec<Measurement> = of.iter().map(measured).collect();
        let findings = findings(&table.goals, &all);
        let one = |it: &Finding| (it.goal.name.clone(), it.spread.median, it.reached);
        findings.iter().map(one).collect()
    }

    #[test]
    fn every_subject_has_an_id_of_its_own_and_every_goal_is_answered() {
        let mut ids = ids(&[]);
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), count), (21, 21));
        let all: Vec<(&str, &[(f64, f64)])> = ids
            .iter()
            .map(|id| (id.as_str(), &[(1.0, 1.0)][..]))
            .collect();
        assert_eq!(verdicts(&all).len(), table(&[]).unwrap().goals.len());
    }

    #[test]
    fn subjects_are_chosen_by_the_beginnings_of_their_ids() {
        assert_eq!(
            ids(&["streamgate-start-at-50000", "axum-heartbeat"]),
            [
                "axum-heartbeat",
                "streamgate-start-at-50000",
                "streamgate-start-at-50000@2"
            ]
        );
        assert_eq!(ids(&["redis"]).len(), 3);
        let error = table(&["axum", "redi"]).unwrap_err().to_string();
        assert!(error.contains("redi names none of: axum-start"), "{error}");
    }

    #[test]
    fn ratios_are_taken_round_by_round_and_compared_with_the_goals() {
        let found = verdicts(&[
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
            ("heartbeat, CPU ÷ bare axum", 1.2, true),
            ("heartbeat, throughput ÷ bare axum", 0.84, false),
            ("durable start, CPU ÷ bare axum", 1.5, false),
            ("durable start, throughput ÷ bare axum", 0.7, true),
        ];
        assert_eq!(found.len(), expected.len(), "the others were not measured");
        for ((name, median, reached), expected) in found.iter().zip(expected) {
            assert_eq!((name.as_str(), *reached), (expected.0, Some(expected.2)));
            assert!((median - expected.1).abs() < 1e-9, "{name} {median}");
        }
    }

    #[test]
    fn bounds_are_exact() {
        let found = verdicts(&[
            ("streamgate-start", &[(15.0, 1.0)]),
            ("redis-always-start", &[(15.0, 1.0)]),
            ("streamgate-batch", &[(1.4, 999_999.0)]),
            ("streamgate-start-at-20000", &[(30.0, 1.0)]),
            ("streamgate-start-at-50000", &[(50.1, 1.0)]),
            ("disk-fdatasync", &[(10.0, 1.0)]),
        ]);
        let reached: Vec<Option<bool>> = found.iter().map(|it| it.2).collect();
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(reached, [no, no, yes, no, None, None], "{found:?}");
        let goals = table(&[]).unwrap().goals;
        let asked: Vec<String> = goals
            .iter()
            .filter_map(|it| Some(it.bound?.text()))
            .collect();
        for there in ["≤ 1.45", "< 1", "≥ 1,000,000"] {
            assert!(asked.contains(&there.to_owned()), "{asked:?}");
        }
    }

    #[test]
    fn builds_are_compared_with_the_first() {
        let found = verdicts(&[
            ("streamgate-start", &[(10.0, 100.0)]),
            ("streamgate-start@2", &[(12.0, 90.0)]),
        ]);
        let name = "Streamgate, start, build 2, CPU ÷ build 1";
        assert_eq!((found.len(), found[0].0.as_str()), (2, name));
        assert!(
            (found[0].1 - 1.2).abs() < 1e-9 && (found[1].1 - 0.9).abs() < 1e-9,
            "{found:?}"
        );
    }
}
