//! The answer of `GET /v1/stats`, and the figures that are shown of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::client::printable;

/// Values a second, oldest first; `None` where nothing is known.
pub(super) type Series = Vec<Option<f64>>;

/// Seconds of the mean that is shown beside the last value.
const MEAN_OF: usize = 60;

/// What a node did.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Stats {
    now: String,
    live_sessions: Series,
    watching_users: Series,
    starts: Series,
    refusals: Series,
    heartbeats: Series,
    /// By reason.
    ended: BTreeMap<String, Series>,
    p50_ms: Series,
    p99_ms: Series,
    pub(super) top_refused: Vec<TopRefused>,
}

/// A user that was refused often.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TopRefused {
    user_id: String,
    pub(super) refusals: u64,
    last_at: String,
}

/// One line: a name, and its values.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) name: &'static str,
    pub(super) series: std::borrow::Cow<'a, [Option<f64>]>,
    unit: Unit,
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    PerSecond,
    Milliseconds,
}

/// The reasons of endings, in the order in which they are shown, with their names.
const REASONS: [(&str, &str); 5] = [
    ("stopped", "  stopped"),
    ("expired", "  expired"),
    ("evicted", "  evicted"),
    ("terminated", "  terminated"),
    ("revoked", "  revoked"),
];

impl Stats {
    /// The time of the node, as `20:14:07`.
    pub(super) fn time(&self) -> &str {
        clock_of(&self.now)
    }

    /// Live sessions now, in figures.
    pub(super) fn live_sessions(&self) -> String {
        level(&self.live_sessions)
    }

    /// Users who watch now, in figures.
    pub(super) fn watching_users(&self) -> String {
        level(&self.watching_users)
    }

    /// Whether the number of live sessions is not known to one node.
    pub(super) fn shares_store(&self) -> bool {
        let runs = self.starts.iter().any(Option::is_some);
        runs && self.live_sessions.iter().all(Option::is_none)
    }

    /// The lines, in their order.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        let row = |name, series: &'_ Series, unit| Row {
            name,
            series: series.clone().into(),
            unit,
        };
        let mut rows = vec![
            row("starts", &self.starts, Unit::PerSecond),
            row("refusals", &self.refusals, Unit::PerSecond),
            row("heartbeats", &self.heartbeats, Unit::PerSecond),
            row("ended", &self.all_ended(), Unit::PerSecond),
        ];
        for (reason, name) in REASONS {
            if let Some(series) = self.ended.get(reason) {
                rows.push(row(name, series, Unit::PerSecond));
            }
        }
        rows.push(row("p50", &self.p50_ms, Unit::Milliseconds));
        rows.push(row("p99", &self.p99_ms, Unit::Milliseconds));
        rows
    }

    /// Endings of all reasons together.
    fn all_ended(&self) -> Series {
        let length = self.starts.len();
        let sum = |at: usize| {
            let values = self.ended.values().map(|series| *series.get(at)?);
            values.reduce(|sum, value| Some(sum? + value?))?
        };
        (0..length).map(sum).collect()
    }
}

impl TopRefused {
    /// Its name, without what would steer the terminal.
    pub(super) fn user(&self) -> String {
        printable(&self.user_id)
    }

    /// The last time, as `20:14:07`.
    pub(super) fn last(&self) -> &str {
        clock_of(&self.last_at)
    }
}

impl Row<'_> {
    /// The last value, in figures.
    pub(super) fn now(&self) -> String {
        self.figure(self.series.last().copied().flatten())
    }

    /// The mean of the last minute, in figures.
    pub(super) fn mean(&self) -> String {
        let begin = self.series.len().saturating_sub(MEAN_OF);
        let known: Vec<f64> = self.series[begin..].iter().flatten().copied().collect();
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        self.figure((!known.is_empty()).then_some(mean))
    }

    fn figure(&self, value: Option<f64>) -> String {
        let Some(value) = value else {
            return "-".to_owned();
        };
        match self.unit {
            Unit::PerSecond => format!("{value:.1}/s"),
            Unit::Milliseconds if value < 10.0 => format!("{value:.2} ms"),
            Unit::Milliseconds => format!("{value:.0} ms"),
        }
    }
}

fn level(series: &Series) -> String {
    match series.last().copied().flatten() {
        Some(value) => format!("{value:.0}"),
        None => "-".to_owned(),
    }
}

/// The time of day in a time such as `2026-11-21T20:14:07.000Z`.
fn clock_of(time: &str) -> &str {
    let is_shown = |text: &&str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':')
    };
    time.get(11..19).filter(is_shown).unwrap_or("-")
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A node that was started four seconds ago.
    pub(in super::super) fn stats() -> Stats {
        let none = json!([null, 0.0, 0.0, 0.0]);
        serde_json::from_value(json!({
            "now": "2026-11-21T20:14:07.123Z", "scope": "node", "step_s": 1,
            "from": "2026-11-21T20:14:04.000Z",
            "live_sessions": [null, 10, 11, 12_345],
            "watching_users": [null, 5, 6, 9_876],
            "starts": [null, 1.0, 2.0, 3.0],
            "refusals": [null, 0.0, 0.0, 1.0],
            "heartbeats": [null, 400.0, 410.0, 420.0],
            "ended": {
                "stopped": [null, 1.0, 0.0, 2.0], "expired": [null, 0.0, 1.0, 1.0],
                "evicted": none, "terminated": none, "revoked": none,
            },
            "p50_ms": [null, 0.05, null, 0.061],
            "p99_ms": [null, 1.5, null, 12.4],
            "top_refused": [
                {"user_id": "anna", "refusals": 7, "last_at": "2026-11-21T20:14:06.000Z"},
                {"user_id": "bob\u{9b}2J", "refusals": 2, "last_at": "2026-11-21T20:13:00.000Z"},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn lines_have_the_last_value_and_the_mean_of_what_is_known() {
        let stats = stats();
        let rows = stats.rows();
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.name.trim(), row.now(), row.mean()))
            .collect();
        let is = |name, now: &str, mean: &str| (name, now.to_owned(), mean.to_owned());
        assert_eq!(
            found,
            [
                is("starts", "3.0/s", "2.0/s"),
                is("refusals", "1.0/s", "0.3/s"),
                is("heartbeats", "420.0/s", "410.0/s"),
                is("ended", "3.0/s", "1.7/s"),
                is("stopped", "2.0/s", "1.0/s"),
                is("expired", "1.0/s", "0.7/s"),
                is("evicted", "0.0/s", "0.0/s"),
                is("terminated", "0.0/s", "0.0/s"),
                is("revoked", "0.0/s", "0.0/s"),
                is("p50", "0.06 ms", "0.06 ms"),
                is("p99", "12 ms", "6.95 ms"),
            ]
        );
        assert_eq!(
            (stats.time(), &*stats.live_sessions()),
            ("20:14:07", "12345")
        );
        assert!(!stats.shares_store());
        assert_eq!(stats.top_refused[1].user(), "bob\u{fffd}2J");
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let unknown = Stats::default();
        assert_eq!((unknown.time(), &*unknown.live_sessions()), ("-", "-"));
        for row in unknown.rows() {
            assert_eq!((&*row.now(), &*row.mean()), ("-", "-"), "{}", row.name);
        }
        let shared = Stats {
            live_sessions: vec![None; 4],
            ..stats()
        };
        assert!(shared.shares_store());
    }
}
