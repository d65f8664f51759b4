//! Reports: what a measurement prints, the page it writes, and its figures for programs.
//!
//! `streamgate bench`, `compare` and `growth` all make a [`Report`] of sections: tables, and
//! plots as SVG. A page is one file that loads nothing.
//!
//! What is *not* here: figures, which [`Measured`] has.

mod escape;
mod page;
mod plot;

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

pub use plot::{Bar, Bars, Line, Lines, Scale};

use crate::figures::float;
use crate::record::Second;
use crate::summary::Measured;

/// What a measurement has to say.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Its title.
    pub title: String,
    /// A line below the title.
    pub subtitle: String,
    /// Tables and plots.
    pub sections: Vec<Section>,
    /// What must be known to read the figures.
    pub notes: Vec<String>,
}

/// A part of a report.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// A table or a plot.
    pub body: Body,
}

/// What a section shows.
#[derive(Debug, Clone)]
pub enum Body {
    /// A table.
    Table(Table),
    /// A plot, as SVG.
    Plot(String),
}

/// Rows of texts, the first of which has the headings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(pub Vec<Vec<String>>);

impl Report {
    /// The tables as Markdown, and the notes.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n\n", self.title, self.subtitle);
        for section in &self.sections {
            if let Body::Table(table) = &section.body {
                text += &(table.markdown() + "\n");
            }
        }
        text + &self.notes.join("\n") + "\n"
    }

    /// Writes `NAME.html`, and `data` as `NAME.json`. Returns [`Report::text`] with both paths.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be written.
    pub fn write(&self, dir: &Path, name: &str, data: &impl Serialize) -> io::Result<String> {
        let file = |ending: &str| dir.join(format!("{name}.{ending}"));
        let (page, json) = (file("html"), file("json"));
        fs::write(&page, self.html())?;
        fs::write(&json, serde_json::to_vec_pretty(data)?)?;
        let text = self.text();
        Ok(format!("{text}\n{}\n{}\n", page.display(), json.display()))
    }
}

impl Section {
    /// A heading with a table below it.
    #[must_use]
    pub fn table(heading: &str, table: Table) -> Self {
        let heading = heading.to_owned();
        let body = Body::Table(table);
        Self { heading, body }
    }

    /// A plot with its title as the heading.
    #[must_use]
    pub fn lines(lines: &Lines) -> Self {
        let (heading, body) = (lines.title.clone(), Body::Plot(lines.svg()));
        Self { heading, body }
    }

    /// A plot with its title as the heading.
    #[must_use]
    pub fn bars(bars: &Bars) -> Self {
        let (heading, body) = (bars.title.clone(), Body::Plot(bars.svg()));
        Self { heading, body }
    }
}

impl Table {
    /// A table with these headings and no rows.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(headings.iter().copied());
        table
    }

    /// Adds a row.
    pub fn row<T: ToString>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cells = cells.into_iter().map(|cell| cell.to_string());
        self.0.push(cells.collect());
    }

    /// The table in Markdown, numbers to the right.
    #[must_use]
    pub fn markdown(&self) -> String {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell: &String| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (number, row) in self.0.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                text += &match column {
                    0 => format!("| {cell:<width$} "),
                    _ => format!("| {cell:>width$} "),
                };
            }
            text += "|\n";
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let (line, end) = ("-".repeat(*width), if column == 0 { ' ' } else { ':' });
                    text += &format!("| {line}{end}");
                }
                text += "|\n";
            }
        }
        text
    }
}

/// Plots of one run: throughput and latency over time, the distribution of latency, and the memory
/// of servers that were measured.
#[must_use]
pub fn plots(run: &Measured) -> Vec<Section> {
    // The last piece of a second says little about a second.
    let whole = || run.seconds.iter().filter(|it| it.length_s >= 0.5);
    let over_time = |name: &str, figure: fn(&Second) -> f64| {
        let point = |second: &Second| (second.at_s - second.length_s / 2.0, figure(second));
        Line::new(name, whole().map(point))
    };
    let mut throughput = vec![over_time("requests", Second::per_second)];
    if run.errors > 0 {
        throughput.push(over_time("errors", Second::errors_per_second));
    }
    let latencies = vec![
        over_time("p50", |it| it.p50_ms),
        over_time("p99", |it| it.p99_ms),
        over_time("max", |it| it.max_ms),
    ];
    let memory = vec![over_time("resident", |it| {
        float(it.resident_bytes) / 1_048_576.0
    })];
    let time = ("time (s)", Scale::Linear);
    let mut all = vec![
        Lines::new(
            "Throughput over time",
            time,
            ("requests/s", Scale::Linear),
            throughput,
        ),
        Lines::new(
            "Latency over time",
            time,
            ("latency (ms)", Scale::Log),
            latencies,
        ),
        distribution("Latency by percentile", &[("latency", run)]),
    ];
    if !run.servers.is_empty() {
        let mib = ("MiB", Scale::Linear);
        all.push(Lines::new(
            "Memory of the servers over time",
            time,
            mib,
            memory,
        ));
    }
    // A run that ended at once has nothing to draw.
    let drawn = all
        .iter()
        .filter(|it| it.lines.iter().any(|it| !it.points.is_empty()));
    drawn.map(Section::lines).collect()
}

/// The latency that a share of the calls did not exceed: a line a run.
#[must_use]
pub fn distribution(title: &str, runs: &[(&str, &Measured)]) -> Lines {
    let line = |(name, run): &(&str, &Measured)| {
        // 100 % is infinitely far away on an axis of nines.
        let points = run.distribution.iter().filter(|it| it.percent < 100.0);
        Line::new(name, points.map(|it| (it.percent, it.ms)))
    };
    let lines = runs.iter().map(line).collect();
    let (x, y) = (("percentile", Scale::Nines), ("latency (ms)", Scale::Log));
    Lines::new(title, x, y, lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Quantile;

    /// A run of twenty seconds.
    fn measured() -> Measured {
        let second = |number: u32| Second {
            at_s: f64::from(number),
            length_s: 1.0,
            requests: 60_000 + u64::from(number) * 100,
            errors: u64::from(number % 2),
            p50_ms: 1.0,
            p99_ms: f64::from(4 + number % 3),
            max_ms: 30.0,
            resident_bytes: 0,
        };
        let quantile = |step: i32| Quantile {
            percent: 100.0 - 100.0 * 0.5_f64.powi(step),
            ms: f64::from(step + 1),
        };
        Measured {
            errors: 6,
            seconds: (1..=20).map(second).collect(),
            distribution: (0..=20).map(quantile).collect(),
            ..Measured::default()
        }
    }

    fn page(run: &Measured) -> String {
        let mut table = Table::new(&["", "figure"]);
        table.row(["requests", "1,200,000"]);
        let mut sections = vec![Section::table("Summary", table)];
        sections.extend(plots(run));
        let title = "A run".to_owned();
        let report = Report {
            title,
            sections,
            ..Report::default()
        };
        report.html()
    }

    #[test]
    fn a_page_contains_its_plots_and_loads_nothing() {
        let html = page(&measured());
        assert_eq!(html.matches("<svg ").count(), 3, "{html}");
        for there in [
            "<td>requests</td><td>1,200,000</td>",
            "aria-label=\"Latency by percentile\"",
            "latency (ms)",
            "99.9%",
            "prefers-color-scheme:dark",
        ] {
            assert!(html.contains(there), "{there}: {html}");
        }
        for not_there in [
            "<script", "http://", "https://", "src=", "url(", "@import", "<link",
        ] {
            assert!(!html.contains(not_there), "{not_there}");
        }
    }

    #[test]
    fn runs_of_no_or_one_second_have_a_page() {
        let html = page(&Measured::default());
        assert_eq!(html.matches("<svg ").count(), 0);
        let second = Second {
            at_s: 1.0,
            length_s: 1.0,
            requests: 7,
            ..Second::default()
        };
        let seconds = vec![second];
        let html = page(&Measured {
            seconds,
            ..Measured::default()
        });
        assert!(html.contains("<circle "), "one second is a point: {html}");
    }

    #[test]
    fn text_has_the_tables_and_the_notes() {
        let mut table = Table::new(&["server", "µs"]);
        table.row(["axum", "9.1"]);
        table.row(["Streamgate", "10.25"]);
        let report = Report {
            title: "T".to_owned(),
            subtitle: "s".to_owned(),
            sections: vec![Section::table("Costs", table)],
            notes: vec!["note".to_owned()],
        };
        let dir = tempfile::tempdir().unwrap();
        let text = report.write(dir.path(), "r", &[1]).unwrap();
        let table = "| server     |    µs |\n\
                     | ---------- | -----:|\n\
                     | axum       |   9.1 |\n\
                     | Streamgate | 10.25 |\n";
        assert!(
            text.starts_with(&format!("T\ns\n\n{table}\nnote\n\n")),
            "{text}"
        );
        let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("r.json"), "[\n  1\n]");
        assert_eq!(read("r.html"), report.html());
    }

    #[test]
    fn runs_share_a_plot_of_their_distributions() {
        let run = measured();
        let svg = distribution("All", &[("quick & simple", &run), ("slow", &run)]).svg();
        assert!(
            svg.contains("quick &amp; simple") && svg.contains("slow"),
            "{svg}"
        );
    }
}
