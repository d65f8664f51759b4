//! Reports: one page of HTML, with its plots in it and nothing else to load.
//!
//! Everything here takes plain data, so that a report can set one run beside others: give several
//! runs to [`runs`], or make a [`Page`] of sections of your own with the plots of [`plot`].
//!
//! What is *not* here: figures, which [`Measured`] has.

mod page;
pub mod plot;
mod tables;

pub use page::{Page, Section, table};
pub use plot::PlotError;

use crate::record::Second;
use crate::summary::Measured;
use plot::{Axis, Bar, Bars, Line, Lines, Scale};

/// A run with its name.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// What it is called beside others.
    pub name: &'a str,
    /// What was measured.
    pub measured: &'a Measured,
}

/// The sections of a report on one run, or on several beside each other.
///
/// # Errors
///
/// Fails if a plot cannot be drawn.
pub fn runs(runs: &[Named<'_>]) -> Result<Vec<Section>, PlotError> {
    let mut sections = vec![Section::new("Summary", tables::summary(runs))];
    if runs.len() > 1 {
        sections.push(Section::new("Throughput", throughput(runs).svg()?));
    }
    if runs.iter().any(|run| run.measured.kinds.len() > 1) {
        sections.push(Section::new("By kind of request", tables::kinds(runs)));
    }
    let over_time = [
        ("Throughput over time", throughput_over_time(runs)),
        ("Latency over time", latency_over_time(runs)),
        ("Distribution of latency", distribution(runs)),
    ];
    for (heading, lines) in over_time {
        // A run that ended at once has nothing to draw.
        if lines.lines.iter().any(|line| !line.points.is_empty()) {
            sections.push(Section::new(heading, lines.svg()?));
        }
    }
    Ok(sections)
}

/// A bar a run: requests a second.
#[must_use]
pub fn throughput(runs: &[Named<'_>]) -> Bars {
    let bar = |run: &Named<'_>| Bar {
        name: run.name.to_owned(),
        value: run.measured.requests_per_s,
        range: None,
        goal: None,
    };
    Bars {
        title: "Requests a second".to_owned(),
        unit: "requests/s".to_owned(),
        bars: runs.iter().map(bar).collect(),
    }
}

/// A line a run: requests a second, and errors where there are any.
#[must_use]
pub fn throughput_over_time(runs: &[Named<'_>]) -> Lines {
    let mut lines = Vec::new();
    for run in runs {
        let points = over_time(run, Second::per_second);
        lines.push(Line::new(label(runs, run, "requests"), points));
        if run.measured.errors > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            let errors = |second: &Second| second.errors as f64 / second.length_s.max(1e-3);
            lines.push(Line::new(
                label(runs, run, "errors"),
                over_time(run, errors),
            ));
        }
    }
    Lines {
        title: "Requests a second over time".to_owned(),
        x: Axis::new("time (s)", Scale::Linear),
        y: Axis::new("requests/s", Scale::Linear),
        lines,
    }
}

/// Median, 99th percentile and longest of one run; of several, the 99th percentile of each.
#[must_use]
pub fn latency_over_time(runs: &[Named<'_>]) -> Lines {
    let mut lines = Vec::new();
    for run in runs {
        if runs.len() == 1 {
            lines.push(Line::new("p50".to_owned(), over_time(run, |it| it.p50_ms)));
            lines.push(Line::new("p99".to_owned(), over_time(run, |it| it.p99_ms)));
            lines.push(Line::new("max".to_owned(), over_time(run, |it| it.max_ms)));
        } else {
            let points = over_time(run, |it| it.p99_ms);
            lines.push(Line::new(label(runs, run, "p99"), points));
        }
    }
    Lines {
        title: "Latency over time".to_owned(),
        x: Axis::new("time (s)", Scale::Linear),
        y: Axis::new("latency (ms)", Scale::Log),
        lines,
    }
}

/// A line a run: how long a share of its calls took at most.
#[must_use]
pub fn distribution(runs: &[Named<'_>]) -> Lines {
    let lines = runs.iter().map(|run| {
        // All of them is infinitely far away on an axis of nines.
        let points = run
            .measured
            .distribution
            .iter()
            .filter(|it| it.percent < 100.0);
        let points = points.map(|it| (it.percent, it.ms)).collect();
        Line::new(run.name.to_owned(), points)
    });
    Lines {
        title: "Latency by percentile".to_owned(),
        x: Axis::new("percentile", Scale::Nines),
        y: Axis::new("latency (ms)", Scale::Log),
        lines: lines.collect(),
    }
}

/// What a figure was in the middle of each second.
fn over_time(run: &Named<'_>, figure: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
    // The last piece of a second says little about a second.
    let whole = run.measured.seconds.iter().filter(|it| it.length_s >= 0.5);
    whole
        .map(|second| (second.at_s - second.length_s / 2.0, figure(second)))
        .collect()
}

/// What a line is called: the figure, and whose it is where there are several.
fn label(runs: &[Named<'_>], run: &Named<'_>, figure: &str) -> String {
    if runs.len() == 1 {
        figure.to_owned()
    } else {
        format!("{}: {figure}", run.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::{LatencyMs, Quantile};
    use crate::summary::{Generator, KindSummary};

    /// A run of twenty seconds, so many times as slow as another.
    fn measured(slowness: f64) -> Measured {
        let latency_ms = LatencyMs {
            p50: slowness,
            p90: 2.0 * slowness,
            p99: 4.0 * slowness,
            p99_9: 9.0 * slowness,
            max: 30.0 * slowness,
            mean: 1.2 * slowness,
        };
        let kind = |name: &str| KindSummary {
            name: name.to_owned(),
            requests: 600_000,
            errors: 3,
            requests_per_s: 30_000.0,
            latency_ms,
        };
        let second = |number: u32| Second {
            at_s: f64::from(number),
            length_s: 1.0,
            requests: 60_000 + u64::from(number) * 100,
            errors: u64::from(number % 2),
            p50_ms: slowness,
            p99_ms: slowness * f64::from(4 + number % 3),
            max_ms: slowness * 30.0,
        };
        let quantile = |step: i32| Quantile {
            percent: 100.0 - 100.0 * 0.5_f64.powi(step),
            ms: slowness * f64::from(step + 1),
        };
        Measured {
            elapsed_s: 20.0,
            requests: 1_200_000,
            calls: 1_200_000,
            errors: 6,
            requests_per_s: 60_000.0 / slowness,
            outcomes: [("200".to_owned(), 1_199_994), ("503".to_owned(), 6)].into(),
            latency_ms,
            kinds: vec![kind("start"), kind("stop")],
            generator: Generator::default(),
            servers: Vec::new(),
            seconds: (1..=20).map(second).collect(),
            distribution: (0..=20).map(quantile).collect(),
        }
    }

    fn page(all: &[Named<'_>]) -> String {
        let page = Page {
            title: "A run".to_owned(),
            sections: runs(all).unwrap(),
            ..Page::default()
        };
        page.html()
    }

    #[test]
    fn a_page_has_its_plots_in_it_and_loads_nothing() {
        let measured = measured(1.0);
        let name = "this";
        let html = page(&[Named {
            name,
            measured: &measured,
        }]);
        assert_eq!(html.matches("<svg ").count(), 3, "{html}");
        for there in [
            "1,200,000",
            "60,000",
            "200: 1,199,994, 503: 6",
            "<td>start</td>",
            "aria-label=\"Latency by percentile\"",
            "latency (ms)",
            "99.9%",
            "prefers-color-scheme:dark",
        ] {
            assert!(html.contains(there), "{there}: {html}");
        }
        // The name of the SVG vocabulary is no address that anybody asks.
        let loads = html.replace("http://www.w3.org/2000/svg", "");
        for not_there in [
            "<script", "http://", "https://", "src=", "url(", "@import", "<link",
        ] {
            assert!(!loads.contains(not_there), "{not_there}");
        }
        // Nobody measured the server.
        assert!(!html.contains("server CPU"), "{html}");
    }

    #[test]
    fn runs_stand_beside_each_other() {
        let (quick, slow) = (measured(1.0), measured(3.0));
        let html = page(&[
            Named {
                name: "quick & simple",
                measured: &quick,
            },
            Named {
                name: "slow",
                measured: &slow,
            },
        ]);
        assert_eq!(html.matches("<svg ").count(), 4, "bars, too");
        assert!(
            html.contains("<th>quick &amp; simple</th><th>slow</th>"),
            "{html}"
        );
        assert!(html.contains("slow: p99") && html.contains("slow: start"));
    }

    #[test]
    fn what_ended_at_once_has_a_report_all_the_same() {
        let measured = Measured::default();
        let html = page(&[Named {
            name: "nothing",
            measured: &measured,
        }]);
        assert_eq!(html.matches("<svg ").count(), 0);
        assert!(html.contains("<td>requests</td><td>0</td>"), "{html}");
        // One second is a point.
        let short = Measured {
            seconds: vec![Second {
                at_s: 1.0,
                length_s: 1.0,
                requests: 7,
                ..Second::default()
            }],
            ..measured
        };
        let html = page(&[Named {
            name: "short",
            measured: &short,
        }]);
        assert!(html.contains("<circle "), "{html}");
    }

    #[test]
    fn bars_may_have_ranges_and_goals() {
        let bar = |name: &str, value: f64, range| Bar {
            name: name.to_owned(),
            value,
            range,
            goal: None,
        };
        let bars = Bars {
            title: "CPU".to_owned(),
            unit: "µs a request".to_owned(),
            bars: vec![
                bar("bare axum", 9.1, Some((8.7, 11.5))),
                bar("streamgate", 10.2, Some((9.9, 10.9))),
                bar("nothing", 0.0, None),
            ],
        };
        let svg = bars.svg().unwrap();
        for there in ["bare axum", "streamgate", "nothing", "9.1", "µs a request"] {
            assert!(svg.contains(there), "{there}: {svg}");
        }
        let goals = |svg: &str| svg.matches("stroke=\"#CF222E\"").count();
        assert_eq!(goals(&svg), 0);
        let mut asked = bars.clone();
        asked.bars[1].goal = Some(12.0);
        assert_eq!(goals(&asked.svg().unwrap()), 1);
        asked.bars[2].value = f64::INFINITY;
        let error = asked.svg().unwrap_err().to_string();
        assert!(error.contains("nothing has no end"), "{error}");
        let none = Bars {
            bars: Vec::new(),
            ..bars
        };
        assert!(none.svg().unwrap().starts_with("<svg "));
    }
}
