//! The result of a run: a table on standard output, and a page.

use streamgate_loadgen::figures::{count, float, mebibytes, ms, rate, us};
use streamgate_loadgen::report::{Report, Section, Table, plots};
use streamgate_loadgen::workload::Workload;
use streamgate_loadgen::{KindSummary, Plan, Summary};

use crate::output;

/// The headings of the figures of each kind of request.
const HEADINGS: [&str; 10] = [
    "REQUESTS", "COUNT", "A SECOND", "ERRORS", "P50", "P90", "P99", "P99.9", "MAX", "MEAN",
];

/// Prints it as a table.
pub(crate) fn print(summary: &Summary) {
    output::line(&format!("{}\n", heading(summary)));
    output::table(&HEADINGS, &kinds(summary), "");
    output::line("");
    for (name, said) in facts(summary) {
        output::line(&format!("{name:<10}  {said}"));
    }
    for note in notes(summary) {
        output::line(&format!("note: {note}"));
    }
}

/// The page of `--html`.
pub(crate) fn page(summary: &Summary) -> String {
    let mut figures = Table::new(
        &HEADINGS
            .map(str::to_lowercase)
            .each_ref()
            .map(String::as_str),
    );
    kinds(summary).into_iter().for_each(|row| figures.row(row));
    let mut about = Table::new(&["run", ""]);
    for (name, said) in facts(summary) {
        about.row([name, &said]);
    }
    let mut sections = vec![
        Section::table("Summary", figures),
        Section::table("About", about),
    ];
    sections.extend(plots(&summary.measured));
    let mut notes = notes(summary);
    notes.push(format!("streamgate bench {}", env!("CARGO_PKG_VERSION")));
    let report = Report {
        title: format!("{} on {}", summary.plan.workload, summary.target),
        subtitle: how(&summary.plan),
        sections,
        notes,
    };
    report.html()
}

fn heading(summary: &Summary) -> String {
    let Summary { plan, target, .. } = summary;
    format!("{} on {target}, {}", plan.workload, how(plan))
}

/// The load, in short.
fn how(plan: &Plan) -> String {
    let connections = format!("{} connections", count(plan.connections as u64));
    let sessions = count(plan.users.saturating_mul(plan.sessions_per_user));
    let loop_ = match plan.requests_per_s {
        Some(per_second) => format!("open loop at {} a second", rate(per_second)),
        None => "closed loop".to_owned(),
    };
    match plan.workload {
        Workload::Live => format!(
            "{sessions} sessions, a heartbeat every {:.1} s, {connections}",
            plan.heartbeat_interval_s
        ),
        Workload::Heartbeats => format!("{sessions} sessions, {loop_}, {connections}"),
        Workload::Batch => {
            let batch = count(plan.batch);
            format!("{sessions} sessions, {batch} a call, {loop_}, {connections}")
        }
        Workload::Starts | Workload::StartStop => format!("{loop_}, {connections}"),
    }
}

/// A row of figures for each kind of request, and one for all if there are several.
fn kinds(summary: &Summary) -> Vec<Vec<String>> {
    let measured = &summary.measured;
    let mut kinds = measured.kinds.clone();
    if kinds.len() > 1 {
        kinds.push(KindSummary {
            name: "all".to_owned(),
            requests: measured.requests,
            errors: measured.errors,
            requests_per_s: measured.requests_per_s,
            latency_ms: measured.latency_ms,
        });
    }
    kinds.iter().map(row).collect()
}

fn row(kind: &KindSummary) -> Vec<String> {
    let it = kind.latency_ms;
    let mut row = vec![
        kind.name.clone(),
        count(kind.requests),
        rate(kind.requests_per_s),
        count(kind.errors),
    ];
    row.extend([it.p50, it.p90, it.p99, it.p99_9, it.max, it.mean].map(ms));
    row
}

/// Facts of the run by name.
fn facts(summary: &Summary) -> Vec<(&'static str, String)> {
    let measured = &summary.measured;
    let mut facts = Vec::new();
    if let Some(ramp) = summary.ramp {
        let refused = match ramp.errors {
            0 => String::new(),
            errors => format!(", {} not", count(errors)),
        };
        let started = count(ramp.started);
        let said = format!(
            "{started} sessions started in {:.1} s{refused}",
            ramp.elapsed_s
        );
        facts.push(("ramp", said));
    }
    let outcomes = measured.outcomes.iter();
    let outcomes: Vec<String> = outcomes
        .map(|(name, times)| format!("{name}: {}", count(*times)))
        .collect();
    facts.push(("answers", outcomes.join(", ")));
    facts.push(("duration", format!("{:.1} s", measured.elapsed_s)));
    for server in &measured.servers {
        let said = format!(
            "process {}: {} of processor a request, {} resident, {} at most",
            server.pid,
            us(server.cpu_us_per_request),
            mebibytes(server.used.resident_bytes),
            mebibytes(server.used.resident_bytes_max),
        );
        facts.push(("server", said));
    }
    let generator = &measured.generator;
    let mut said = format!(
        "{} of processor a call, busy for {:.0}% of the time",
        us(generator.cpu_us_per_call),
        generator.busy * 100.0
    );
    if let Some(late) = generator.lateness_ms {
        said += &format!(", late by {} (p50), {} (p99)", ms(late.p50), ms(late.p99));
    }
    facts.push(("generator", said));
    let cleanup = summary.cleanup;
    facts.push((
        "sessions",
        format!("{} stopped at the end", count(cleanup.stopped)),
    ));
    facts
}

/// Caveats of the figures.
fn notes(summary: &Summary) -> Vec<String> {
    let measured = &summary.measured;
    let mut notes = Vec::new();
    if summary.interrupted {
        notes.push("it was ended early".to_owned());
    }
    if measured.errors > 0 {
        let part = percent(measured.errors, measured.requests);
        notes.push(format!(
            "{part}% of the requests were errors; latencies include them"
        ));
    }
    if measured.is_limited_by_generator() {
        notes.push(
            "the generator was busy all the time, so this is its limit and not the server's: give \
             it more --threads, or another machine"
                .to_owned(),
        );
    }
    if summary.plan.requests_per_s.is_none() && summary.plan.workload != Workload::Live {
        notes.push(
            "latencies of a closed loop are those under full load; --rate measures what players \
             feel"
                .to_owned(),
        );
    }
    if measured.generator.connections_lost > 0 {
        let lost = count(measured.generator.connections_lost);
        notes.push(format!(
            "connections were lost, or could not be made, {lost} times"
        ));
    }
    if summary.cleanup.left > 0 {
        let left = count(summary.cleanup.left);
        notes.push(format!(
            "{left} sessions could not be stopped; they end with their lease"
        ));
    }
    notes
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1}", float(part) * 100.0 / float(whole.max(1)))
}

#[cfg(test)]
mod tests {
    use streamgate_loadgen::{Cleanup, Generator, Measured};

    use super::*;

    fn summary(requests_per_s: Option<f64>) -> Summary {
        let plan = Plan {
            workload: Workload::Batch,
            users: 500,
            sessions_per_user: 2,
            connections: 64,
            requests_per_s,
            batch: 100,
            ..Plan::default()
        };
        Summary {
            target: "http://a".to_owned(),
            plan,
            interrupted: false,
            ramp: None,
            cleanup: Cleanup::default(),
            measured: Measured {
                requests: 2_000,
                ..Measured::default()
            },
        }
    }

    #[test]
    fn the_heading_names_the_load() {
        assert_eq!(
            heading(&summary(Some(5_000.0))),
            "batch on http://a, 1,000 sessions, 100 a call, open loop at 5,000 a second, \
             64 connections"
        );
    }

    #[test]
    fn misleading_figures_have_a_note() {
        assert_eq!(notes(&summary(Some(1.0))), Vec::<String>::new());
        let mut summary = summary(None);
        summary.interrupted = true;
        summary.cleanup.left = 1_234;
        summary.measured.errors = 3;
        summary.measured.generator = Generator {
            busy: 0.95,
            connections_lost: 7,
            ..Generator::default()
        };
        let notes = notes(&summary).join("\n");
        for there in [
            "ended early",
            "0.1% of the requests were errors",
            "more --threads",
            "--rate measures",
            "7 times",
            "1,234 sessions could not be stopped",
        ] {
            assert!(notes.contains(there), "{there}: {notes}");
        }
    }
}
