//! The tables of a report.

use super::Named;
use super::page::table;
use crate::figures::{count, mebibytes, ms, rate, us};
use crate::latency::LatencyMs;
use crate::summary::Measured;

/// A row of the summary: what it is called, and what it says of a run.
type Row = (&'static str, fn(&Measured) -> String);

/// The figures of all runs, one a column.
pub(super) fn summary(runs: &[Named<'_>]) -> String {
    let rows: [Row; 15] = [
        ("requests", |it| count(it.requests)),
        ("requests a second", |it| rate(it.requests_per_s)),
        ("errors", |it| count(it.errors)),
        ("duration", |it| format!("{:.1} s", it.elapsed_s)),
        ("latency p50", |it| ms(it.latency_ms.p50)),
        ("latency p90", |it| ms(it.latency_ms.p90)),
        ("latency p99", |it| ms(it.latency_ms.p99)),
        ("latency p99.9", |it| ms(it.latency_ms.p99_9)),
        ("latency max", |it| ms(it.latency_ms.max)),
        ("latency mean", |it| ms(it.latency_ms.mean)),
        ("answers", outcomes),
        ("server CPU a request", server_cpu),
        ("server memory at its end, and at most", server_memory),
        ("generator CPU a call", |it| {
            us(it.generator.cpu_us_per_call)
        }),
        ("generator lateness p50, p99", |it| {
            let late = it.generator.lateness_ms;
            late.map_or_else(String::new, |late| {
                format!("{}, {}", ms(late.p50), ms(late.p99))
            })
        }),
    ];
    let mut table_rows = vec![headings("", runs)];
    for (name, say) in rows {
        let cells = runs.iter().map(|run| say(run.measured));
        let row: Vec<String> = std::iter::once(name.to_owned()).chain(cells).collect();
        // What nobody measured is left out.
        if row.iter().skip(1).any(|cell| !cell.is_empty()) {
            table_rows.push(row);
        }
    }
    table(&table_rows)
}

/// The figures by kind of request, one run after the other.
pub(super) fn kinds(runs: &[Named<'_>]) -> String {
    let names = [
        "", "requests", "a second", "errors", "p50", "p90", "p99", "p99.9", "max", "mean",
    ];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    for run in runs {
        for kind in &run.measured.kinds {
            let LatencyMs {
                p50,
                p90,
                p99,
                p99_9,
                max,
                mean,
            } = kind.latency_ms;
            let name = if runs.len() == 1 {
                kind.name.clone()
            } else {
                format!("{}: {}", run.name, kind.name)
            };
            let mut row = vec![
                name,
                count(kind.requests),
                rate(kind.requests_per_s),
                count(kind.errors),
            ];
            row.extend([p50, p90, p99, p99_9, max, mean].map(ms));
            rows.push(row);
        }
    }
    table(&rows)
}

fn headings(first: &str, runs: &[Named<'_>]) -> Vec<String> {
    let names = runs.iter().map(|run| run.name);
    std::iter::once(first)
        .chain(names)
        .map(str::to_owned)
        .collect()
}

fn outcomes(measured: &Measured) -> String {
    let outcomes = measured.outcomes.iter();
    let outcomes: Vec<String> = outcomes
        .map(|(name, times)| format!("{name}: {}", count(*times)))
        .collect();
    outcomes.join(", ")
}

fn server_cpu(measured: &Measured) -> String {
    let servers = measured.servers.iter();
    joined(servers.map(|server| us(server.cpu_us_per_request)))
}

fn server_memory(measured: &Measured) -> String {
    let servers = measured.servers.iter();
    joined(servers.map(|server| {
        let used = &server.used;
        format!(
            "{}, {}",
            mebibytes(used.resident_bytes),
            mebibytes(used.resident_bytes_max)
        )
    }))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" and ")
}
