//! What is printed: tables, in Markdown, and what one must know to read them.

use streamgate_loadgen::figures::{count, mebibytes, rate};

use super::figures::{Figure, Measurement, Spread, ratios};
use super::goals::{Finding, MANY};
use super::machine::Machine;
use super::round::Plan;
use super::server::Kind;
use super::subject::Doing;
use crate::servers::BATCH;
use crate::table::Table;

/// The subject that all others are held against.
const CEILING: &str = "axum-start";

/// Which part of the processors other processes may have before it is worth a word.
const OTHERS_BUSY: f64 = 0.05;

/// The heads of the table of figures.
const HEADS: [&str; 10] = [
    "server, request",
    "requests/s",
    "CPU µs a request",
    "CPU ÷ bare axum",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "memory MiB",
    "with sessions",
    "generator busy",
];

/// The heads of the table of findings.
const FINDING_HEADS: [&str; 4] = ["Streamgate", "median (range)", "asked", "so"];

/// The figures of all subjects: first the heads, then a row each.
pub(crate) fn figures(all: &[Measurement]) -> Vec<Vec<String>> {
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    let ceiling = all.iter().find(|it| it.subject.id == CEILING);
    rows.extend(all.iter().map(|measurement| row(measurement, ceiling)));
    rows
}

fn row(measurement: &Measurement, ceiling: Option<&Measurement>) -> Vec<String> {
    let rounds = measurement.rounds.len();
    let say = |figure, show: fn(f64) -> String| ranged(measurement.spread(figure), rounds, show);
    let median = |figure| measurement.spread(figure).median;
    let against = ceiling.map_or_else(
        || "–".to_owned(),
        |ceiling| {
            let cpu = |it: &Measurement| it.each(Figure::CpuUs);
            let ratios = ratios(&cpu(measurement), &cpu(ceiling));
            format!("{:.2}", Spread::of(&ratios).median)
        },
    );
    let mut busy = format!("{:.0} %", median(Figure::GeneratorBusy) * 100.0);
    // Where no connection was ever free, the generator could not be late.
    let late_ms = median(Figure::LatenessP99Ms);
    if late_ms > 0.0 {
        busy += &format!(", p99 {late_ms:.2} ms late");
    }
    // There are cells that only a server fills.
    let of_server = |cell: String| match measurement.subject.server() {
        Some(_) => cell,
        None => "–".to_owned(),
    };
    vec![
        measurement.subject.name.clone(),
        say(Figure::RequestsPerS, rate),
        say(Figure::CpuUs, |us| format!("{us:.1}")),
        against,
        format!("{:.2}", median(Figure::P50Ms)),
        say(Figure::P99Ms, |ms| format!("{ms:.2}")),
        format!("{:.2}", median(Figure::P999Ms)),
        of_server(format!("{:.0}", median(Figure::MemoryBytes) / 1_048_576.0)),
        match measurement.subject.keeps_sessions() {
            true => whole(median(Figure::Sessions)),
            false => "–".to_owned(),
        },
        of_server(busy),
    ]
}

/// What was asked, and what came of it: first the heads, then a row each.
pub(crate) fn findings(findings: &[Finding], rounds: usize) -> Vec<Vec<String>> {
    let row = |finding: &Finding| {
        vec![
            finding.name.clone(),
            ranged(finding.spread, rounds, of_any_size),
            finding
                .goal
                .map_or_else(|| "–".to_owned(), |goal| goal.to_string()),
            finding.verdict().to_owned(),
        ]
    };
    let heads = FINDING_HEADS.map(str::to_owned).to_vec();
    std::iter::once(heads)
        .chain(findings.iter().map(row))
        .collect()
}

/// The median, and behind it the range where there were several rounds.
fn ranged(spread: Spread, rounds: usize, show: fn(f64) -> String) -> String {
    let median = show(spread.median);
    match spread.range(rounds) {
        None => median,
        Some((least, most)) => format!("{median} ({}–{})", show(least), show(most)),
    }
}

/// A figure with the digits that count.
fn of_any_size(value: f64) -> String {
    if value < MANY {
        return format!("{value:.2}");
    }
    rate(value)
}

/// A whole number.
fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    digits.parse().map_or(digits, count)
}

/// Rows as a table in Markdown.
pub(crate) fn markdown(rows: &[Vec<String>]) -> String {
    let mut rows = rows.iter();
    let heads = rows.next().map(Vec::as_slice).unwrap_or_default();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut table = Table::new(&heads);
    for row in rows {
        table.row(row.clone());
    }
    table.to_markdown()
}

/// What the figures were taken on, in a line.
pub(crate) fn on(machine: &Machine, plan: &Plan) -> String {
    let Plan {
        rounds, seconds, ..
    } = plan;
    format!(
        "{} × {}, {}, kernel {}, data on {}; rounds: {rounds}, each run {seconds} s",
        machine.processors,
        machine.processor,
        mebibytes(machine.memory_bytes),
        machine.kernel,
        machine.filesystem,
    )
}

/// What one must know to read the figures, warnings first.
pub(crate) fn notes(machine: &Machine, plan: &Plan, all: &[Measurement]) -> Vec<String> {
    let mut notes = warnings(machine, all);
    notes.push(format!(
        "Closed loop over {} connections, or an open loop over {} where a rate is named: there latency counts \
         from when a request was due. Every server is a fresh process in every run. CPU is its user and system \
         time. The load generator is one thread on the same {} processors.",
        plan.connections, plan.connections_at_a_rate, machine.processors,
    ));
    notes.push(format!(
        "Ratios are taken round by round; the figure is their median. Users have {} sessions each; heartbeats \
         are for {} users.",
        plan.sessions_per_user,
        count(plan.users),
    ));
    let servers = || all.iter().filter_map(|it| it.subject.server());
    let has = |is: fn(&Kind) -> bool| servers().any(is);
    if has(|kind| matches!(kind, Kind::Bare(_))) {
        notes.push(
            "Bare servers read the JSON of a start and answer the JSON that Streamgate answers. They ask for no \
             key, decide nothing, keep nothing; their allocator and compiler settings are Streamgate's."
                .to_owned(),
        );
    }
    if has(|kind| matches!(kind, Kind::Streamgate(_))) {
        notes.push(
            "Streamgate keeps what starts say of themselves, asks for a key, and answers starts and stops when \
             they are on the disk; all settings are the defaults."
                .to_owned(),
        );
    }
    if has(|kind| matches!(kind, Kind::Redis(_))) {
        notes.push(
            "Redis runs a Lua script a request and has no HTTP, no keys and no JSON in front of it; it makes no \
             snapshots and does not rewrite its AOF. limitador-server is not run here."
                .to_owned(),
        );
    }
    if all.iter().any(|it| it.subject.doing == Doing::Batch) {
        notes.push(format!(
            "A batch counts as its {} heartbeats: its requests are heartbeats, its CPU is that of one of them; its \
             latency is that of the call. What is asked of batches is asked of two processors, one of them for the \
             load; there are {} here.",
            count(BATCH),
            machine.processors,
        ));
    }
    let is_disk = |it: &Measurement| it.subject.server().is_none();
    if all.iter().any(is_disk) {
        notes.push(
            "The disk alone is one thread: what of a start goes into Streamgate's log is written as it falls due, \
             all that fell due during the last fdatasync together, into a file that was zeroed before. Latency \
             counts from when a record was due to the end of its fdatasync, CPU is the thread's. No network, no \
             decision, nobody beside it who wants the processor: a floor, not a rival. Where the processors are \
             busy, a thread for each does nothing as fast as it can."
                .to_owned(),
        );
    }
    for measurement in all.iter().filter(|it| it.subject.build > 1) {
        if let Some(Kind::Streamgate(binary)) = measurement.subject.server() {
            let note = format!(
                "Build {} is {}.",
                measurement.subject.build,
                binary.display()
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// What spoils figures without failing a request.
pub(crate) fn warnings(machine: &Machine, all: &[Measurement]) -> Vec<String> {
    let mut warnings = Vec::new();
    if machine.keeps_data_in_memory() {
        warnings.push(format!(
            "WARNING: the data was on {}, in memory. Nothing was written to a disk, so figures of durable \
             requests say nothing; name a directory on a disk with --dir.",
            machine.filesystem
        ));
    }
    let shares: Vec<f64> = all
        .iter()
        .flat_map(|it| it.each(Figure::OthersBusy))
        .collect();
    let others = Spread::of(&shares);
    if others.median > OTHERS_BUSY || others.most > 4.0 * OTHERS_BUSY {
        warnings.push(format!(
            "WARNING: other processes had {:.0} % of the processors in the median of all runs, and up to {:.0} %. \
             Run it again when the machine is idle.",
            others.median * 100.0,
            others.most * 100.0
        ));
    }
    let limited = all.iter().filter(|it| {
        let rounds = it.rounds.iter();
        rounds
            .into_iter()
            .any(|round| round.measured.is_limited_by_generator())
    });
    let limited: Vec<&str> = limited.map(|it| it.subject.name.as_str()).collect();
    if !limited.is_empty() {
        warnings.push(format!(
            "WARNING: the load generator was what limited: {}. Their throughput and latency are its own; CPU a \
             request holds.",
            limited.join("; ")
        ));
    }
    warnings
}
