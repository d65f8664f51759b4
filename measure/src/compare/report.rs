//! What `compare` prints and writes: tables, the page with plots, every round as JSON.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::json;
use streamgate_loadgen::Measured;
use streamgate_loadgen::figures::{count, rate};
use streamgate_loadgen::report::{Bar, Bars, Report, Section, Table, distribution};

use super::round::{CONNECTIONS_AT_A_RATE, Plan};
use super::table::{Bound, Doing, Figure, Finding, Measurement};
use crate::Result;
use crate::figures::{Spread, median, ratios};
use crate::servers::{command, output};

/// The subject that the processor time of all others is divided by.
const CEILING: &str = "axum-start";

/// A load average from which on a comparison is disturbed.
const LOAD_MAX: f64 = 0.5;

/// What the figures were taken on; what cannot be found out is empty or unknown.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    processors: usize,
    processor: String,
    kernel: String,
    /// Of the data.
    filesystem: String,
    git_commit: String,
    /// Processes that wanted to run in the minute before.
    load_before: f64,
}

/// A choice of subjects for a plot.
type Choice = fn(&Measurement) -> bool;

impl Machine {
    /// This machine, with data below `dir`.
    pub(super) fn here(dir: &Path) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let said = |program: &str, arguments: &[&str]| {
            let mut command = command(Path::new(program));
            let said = output(command.current_dir(dir).args(arguments)).unwrap_or_default();
            said.lines().last().unwrap_or("unknown").trim().to_owned()
        };
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let tree = env!("CARGO_MANIFEST_DIR");
        Ok(Self {
            processors: std::thread::available_parallelism()?.get(),
            processor: model
                .unwrap_or_default()
                .trim_matches([' ', '\t', ':'])
                .to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: said("df", &["--output=fstype", "."]),
            git_commit: said("git", &["-C", tree, "describe", "--always", "--dirty"]),
            load_before: said("cut", &["-d ", "-f1", "/proc/loadavg"])
                .parse()
                .unwrap_or(0.0),
        })
    }

    fn warnings(&self, all: &[Measurement]) -> Vec<String> {
        let mut warnings = Vec::new();
        if matches!(self.filesystem.as_str(), "tmpfs" | "ramfs") {
            warnings.push(format!(
                "WARNING: the data was on {}, in memory, so figures of durable requests say \
                 nothing; name a directory on a disk with --dir.",
                self.filesystem
            ));
        }
        if self.load_before > LOAD_MAX {
            warnings.push(format!(
                "WARNING: the load average was {} before. Run it again when the machine is idle.",
                self.load_before
            ));
        }
        let is_limited = |it: &&Measurement| {
            let mut measured = it.rounds.iter().filter_map(|round| round.measured.as_ref());
            measured.any(Measured::is_limited_by_generator)
        };
        let limited = all
            .iter()
            .filter(is_limited)
            .map(|it| it.subject.name.as_str());
        let limited: Vec<&str> = limited.collect();
        if !limited.is_empty() {
            warnings.push(format!(
                "WARNING: the load generator was the limit of: {}. Their throughput and latency \
                 are its own; their CPU holds.",
                limited.join("; ")
            ));
        }
        warnings
    }
}

/// Writes both files and returns what to print.
pub(super) fn write(
    machine: &Machine,
    plan: &Plan,
    all: &[Measurement],
    findings: &[Finding],
    out: &Path,
) -> Result<String> {
    let mut sections = Vec::new();
    if !findings.is_empty() {
        sections.push(Section::table("What is asked", asked(findings)));
    }
    sections.push(Section::table("All figures", figures(all)));
    sections.extend(plots(all, findings));
    let mut subtitle = format!(
        "{} × {}, kernel {}, data on {}, commit {}; rounds: {}, each run {} s",
        machine.processors,
        machine.processor,
        machine.kernel,
        machine.filesystem,
        machine.git_commit,
        plan.rounds,
        plan.seconds,
    );
    for warning in machine.warnings(all) {
        subtitle += &format!("\n{warning}");
    }
    let report = Report {
        title: "Streamgate compared".to_owned(),
        subtitle,
        sections,
        notes: notes(plan),
    };
    let data = json!({
        "machine": machine, "plan": plan, "findings": findings, "subjects": all,
    });
    Ok(report.write(out, "compare", &data)?)
}

/// Every goal with its answer.
fn asked(findings: &[Finding]) -> Table {
    let mut table = Table::new(&["Streamgate", "median (range)", "asked", "result"]);
    for finding in findings {
        let so = match finding.reached {
            Some(true) => "reached",
            Some(false) => "not reached",
            None => "–",
        };
        let of_any_size = |value: f64| match value {
            ..1_000.0 => format!("{value:.2}"),
            _ => rate(value),
        };
        let asked = finding
            .goal
            .bound
            .map(Bound::text)
            .unwrap_or_else(|| "–".to_owned());
        let (name, spread) = (&finding.goal.name, finding.spread.text(of_any_size));
        table.row([name, &spread, &asked, so]);
    }
    table
}

/// Every subject with its figures.
fn figures(all: &[Measurement]) -> Table {
    let mut table = Table::new(&[
        "server, request",
        "requests/s",
        "CPU µs a request",
        "CPU ÷ bare axum",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "memory MiB",
        "generator busy",
    ]);
    let ceiling = all.iter().find(|it| it.subject.id == CEILING);
    for it in all {
        let say = |figure, show: &dyn Fn(f64) -> String| {
            let spread = Spread::of(&it.each(figure));
            spread.map_or_else(|| "–".to_owned(), |spread| spread.text(show))
        };
        let hundredths = |value: f64| format!("{value:.2}");
        let ratio = ceiling.map_or_else(
            || "–".to_owned(),
            |ceiling| {
                hundredths(median(&ratios(
                    &it.each(Figure::CpuUs),
                    &ceiling.each(Figure::CpuUs),
                )))
            },
        );
        table.row([
            it.subject.name.clone(),
            say(Figure::RequestsPerS, &rate),
            say(Figure::CpuUs, &|us| format!("{us:.1}")),
            ratio,
            say(Figure::P50Ms, &hundredths),
            say(Figure::P99Ms, &hundredths),
            say(Figure::P999Ms, &hundredths),
            say(Figure::MemoryMib, &|mib| format!("{mib:.0}")),
            say(Figure::GeneratorBusy, &|busy| {
                format!("{:.0} %", busy * 100.0)
            }),
        ]);
    }
    table
}

fn plots(all: &[Measurement], findings: &[Finding]) -> Vec<Section> {
    let mut sections = Vec::new();
    for (title, figure) in [
        ("Cost, divided by that of another", Figure::CpuUs),
        (
            "Throughput, divided by that of another",
            Figure::RequestsPerS,
        ),
        ("Latency, divided by that of another", Figure::P99Ms),
    ] {
        let is_of = |it: &&Finding| it.goal.against.is_some() && it.goal.figure == figure;
        let bar = |it: &Finding| bar(&it.goal.name, it.spread, it.goal.bound.map(Bound::value));
        let bars = findings.iter().filter(is_of).map(bar);
        sections.extend(bars_of(title, "times as much; the mark is the goal", bars));
    }
    let bars = |title, unit, figure, choice: Choice| {
        let chosen = all.iter().filter(|it| choice(it));
        let spread =
            |it: &Measurement| Some((it.subject.name.clone(), Spread::of(&it.each(figure))?));
        let bars = chosen
            .filter_map(spread)
            .map(|(name, spread)| bar(&name, spread, None));
        bars_of(title, unit, bars)
    };
    sections.extend(bars(
        "Processor time a request",
        "µs",
        Figure::CpuUs,
        |_| true,
    ));
    // Beside heartbeats in batches all other bars would be stumps.
    let is_closed: Choice = |it| it.subject.per_second.is_none() && it.subject.does != Doing::Batch;
    let title = "Requests a second, closed loop";
    sections.extend(bars(title, "requests/s", Figure::RequestsPerS, is_closed));
    let latencies: [(&str, Choice); 3] = [
        ("Latency at a rate", |it| it.subject.per_second.is_some()),
        ("Latency in a closed loop", is_closed),
        ("Latency in a closed loop: batches of heartbeats", |it| {
            it.subject.does == Doing::Batch
        }),
    ];
    for (title, choice) in latencies {
        let typical = all.iter().filter(|it| choice(it)).filter_map(|it| {
            // The round in the middle.
            let mut rounds: Vec<&Measured> = it
                .rounds
                .iter()
                .filter_map(|round| round.measured.as_ref())
                .collect();
            rounds.sort_by(|one, other| one.latency_ms.p99.total_cmp(&other.latency_ms.p99));
            Some((it.subject.name.as_str(), *rounds.get(rounds.len() / 2)?))
        });
        let typical: Vec<(&str, &Measured)> = typical.collect();
        if !typical.is_empty() {
            sections.push(Section::lines(&distribution(title, &typical)));
        }
    }
    sections
}

fn bar(name: &str, spread: Spread, goal: Option<f64>) -> Bar {
    Bar {
        name: name.to_owned(),
        value: (spread.median * 100.0).round() / 100.0,
        range: spread.range(),
        goal,
    }
}

fn bars_of(title: &str, unit: &str, bars: impl Iterator<Item = Bar>) -> Option<Section> {
    let (title, unit, bars) = (title.to_owned(), unit.to_owned(), bars.collect::<Vec<_>>());
    (!bars.is_empty()).then(|| Section::bars(&Bars { title, unit, bars }))
}

/// What must be known to read the figures.
fn notes(plan: &Plan) -> Vec<String> {
    let mut notes = vec![
        format!(
            "Closed loop over {} connections, or an open loop over {CONNECTIONS_AT_A_RATE} where \
             a rate is named: there latency counts from when a request was due. Every server is a \
             fresh process in every run; CPU is its user and system time. Ratios are taken within \
             a round; the figure is their median. Heartbeats are for {} users with two sessions \
             each.",
            plan.connections,
            count(plan.users),
        ),
        "Bare axum decides nothing and keeps nothing. Streamgate runs with its default settings \
         and a key; starts and stops are answered when they are on the disk; a batch counts as its \
         1,000 heartbeats. Redis runs a Lua script a request, called by redis-benchmark. The disk \
         is measured by fio: 4 KiB written and synced. docs/benchmarking.md says more."
            .to_owned(),
    ];
    for (build, binary) in plan.builds.iter().enumerate().skip(1) {
        notes.push(format!("Build {} is {}.", build + 1, binary.display()));
    }
    notes
}
