//! The comparison as a page with plots.

use streamgate_loadgen::Measured;
use streamgate_loadgen::report::plot::{Bar, Bars};
use streamgate_loadgen::report::{Named, Page, Section, distribution, table};

use super::figures::{Figure, Measurement};
use super::goals::{Finding, Goal};
use super::machine::Machine;
use super::round::Plan;
use super::subject::Doing;
use super::text;
use crate::Result;

/// What several subjects have in common in a plot.
type Choice = fn(&Measurement) -> bool;

/// Makes the page.
pub(crate) fn html(
    machine: &Machine,
    plan: &Plan,
    all: &[Measurement],
    findings: &[Finding],
) -> Result<String> {
    let rounds = all.first().map_or(0, |it| it.rounds.len());
    let mut sections = Vec::new();
    if !findings.is_empty() {
        let findings = text::findings(findings, rounds);
        sections.push(Section::new("What is asked", table(&findings)));
    }
    for (heading, figure) in [
        ("Cost, so many times that of another", Figure::CpuUs),
        (
            "Throughput, so many times that of another",
            Figure::RequestsPerS,
        ),
        ("Latency, so many times that of another", Figure::P99Ms),
    ] {
        let bars = goals(heading, findings, figure, rounds);
        if !bars.bars.is_empty() {
            sections.push(Section::new(heading, bars.svg()?));
        }
    }
    let cpu = bars(
        "Processor time a request",
        "µs",
        Figure::CpuUs,
        all,
        |_| true,
    );
    sections.push(Section::new("Processor time a request", cpu.svg()?));
    // Beside heartbeats in batches all other bars would be stumps.
    let closed: Choice = |it| it.subject.per_second.is_none() && it.subject.doing != Doing::Batch;
    let throughput = bars(
        "Requests a second",
        "requests/s",
        Figure::RequestsPerS,
        all,
        closed,
    );
    if !throughput.bars.is_empty() {
        sections.push(Section::new(
            "Requests a second, closed loop",
            throughput.svg()?,
        ));
    }
    let latencies: [(&str, Choice); 4] = [
        ("Latency at a rate", |it| it.subject.per_second.is_some()),
        ("Latency in a closed loop: starts and stops", |it| {
            is_closed_loop_of(it, &[Doing::Start, Doing::Stop])
        }),
        ("Latency in a closed loop: heartbeats", |it| {
            is_closed_loop_of(it, &[Doing::Heartbeat])
        }),
        ("Latency in a closed loop: batches of heartbeats", |it| {
            is_closed_loop_of(it, &[Doing::Batch])
        }),
    ];
    for (heading, choice) in latencies {
        sections.extend(latency(heading, all, choice)?);
    }
    sections.push(Section::new("All figures", table(&text::figures(all))));
    let facts = machine.rows().into_iter().map(|row| row.to_vec());
    let facts = std::iter::once(vec!["machine".to_owned(), String::new()]).chain(facts);
    sections.push(Section::new("Taken on", table(&facts.collect::<Vec<_>>())));
    let mut above = vec![text::on(machine, plan) + "."];
    above.extend(text::warnings(machine, all));
    let page = Page {
        title: "Streamgate compared".to_owned(),
        subtitle: above.join(" "),
        sections,
        notes: text::notes(machine, plan, all),
    };
    Ok(page.html())
}

fn is_closed_loop_of(measurement: &Measurement, doing: &[Doing]) -> bool {
    let subject = &measurement.subject;
    subject.per_second.is_none() && doing.contains(&subject.doing)
}

/// A bar for each ratio of a figure.
fn goals(title: &str, findings: &[Finding], figure: Figure, rounds: usize) -> Bars {
    let is_of_kind = |finding: &&Finding| finding.is_ratio && finding.figure == figure;
    let bar = |finding: &Finding| Bar {
        name: finding.name.clone(),
        value: hundredths(finding.spread.median),
        range: finding.spread.range(rounds),
        goal: finding.goal.map(Goal::bound),
    };
    Bars {
        title: title.to_owned(),
        unit: "times as much; the mark is what is asked".to_owned(),
        bars: findings.iter().filter(is_of_kind).map(bar).collect(),
    }
}

/// A bar for each subject of a choice.
fn bars(title: &str, unit: &str, figure: Figure, all: &[Measurement], choice: Choice) -> Bars {
    let bar = |it: &Measurement| {
        let spread = it.spread(figure);
        Bar {
            name: it.subject.name.clone(),
            value: hundredths(spread.median),
            range: spread.range(it.rounds.len()),
            goal: None,
        }
    };
    Bars {
        title: title.to_owned(),
        unit: unit.to_owned(),
        bars: all.iter().filter(|it| choice(it)).map(bar).collect(),
    }
}

/// A line for each subject of a choice, if there are any: its typical round.
fn latency(heading: &str, all: &[Measurement], choice: Choice) -> Result<Option<Section>> {
    let typical = all.iter().filter(|it| choice(it)).filter_map(|it| {
        let round = it.typical()?;
        Some((it.subject.name.as_str(), &round.measured))
    });
    let named: Vec<Named<'_>> = typical
        .map(|(name, measured): (&str, &Measured)| Named { name, measured })
        .collect();
    if named.is_empty() {
        return Ok(None);
    }
    Ok(Some(Section::new(heading, distribution(&named).svg()?)))
}

/// As many digits as a bar has room for.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
