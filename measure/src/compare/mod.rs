//! Streamgate beside what it is held against, on one machine in one sitting: bare HTTP servers,
//! which say what the work before any decision costs, the disk alone, which says how soon anything
//! can be durable, and Redis, which is what teams build instead.
//!
//! Machines drift, so that absolute figures of two sittings say little beside each other. All
//! subjects run in turn in every round, and what is said is ratios of the same round.
//!
//! What is *not* here: load and its measurement (`streamgate_loadgen`); targets of memory, restart and
//! scale.

mod calls;
mod disk;
mod figures;
mod goals;
mod log;
mod machine;
mod others;
mod page;
mod resp;
mod round;
mod server;
mod subject;
mod text;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::Result;
use crate::servers::{BATCH, binary_beside};
use figures::{Figure, Measurement};
use goals::Finding;
use machine::Machine;
use round::Plan;
use server::Kind;
use subject::Subject;

/// How to compare.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Three short rounds, about a minute: to see how things stand.
    #[arg(long)]
    quick: bool,
    /// How often everything is run; the figures are medians [default: 5].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: Option<u32>,
    /// How long each run counts, in seconds [default: 4].
    #[arg(long, value_parser = crate::seconds)]
    seconds: Option<f64>,
    /// How long each runs before that, in seconds [default: 1].
    #[arg(long, value_parser = crate::seconds)]
    warm_up: Option<f64>,
    /// Only these: ids, or the beginnings of ids, as in `axum,streamgate-start`.
    #[arg(long, value_name = "SUBJECT", value_delimiter = ',')]
    only: Vec<String>,
    /// Another build of the binary `streamgate`, measured in turn with that of this tree; as often
    /// as wanted.
    #[arg(long, value_name = "PATH")]
    streamgate: Vec<PathBuf>,
    /// Keep-alive connections of closed loops; what is called at a rate has more.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How many users heartbeats are for; each has two sessions, and a batch wants a thousand.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(USERS_MIN..))]
    users: u64,
    /// Where the results go.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/out"))]
    out: PathBuf,
    /// Where servers keep their data; it must be on a real disk [default: where the results go].
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// With fewer users there are not enough sessions for a batch.
const USERS_MIN: u64 = BATCH.div_ceil(calls::SESSIONS_PER_USER);

impl Arguments {
    fn plan(&self) -> Plan {
        let (rounds, seconds, warm_up_s) = if self.quick {
            (3, 0.6, 0.2)
        } else {
            (5, 4.0, 1.0)
        };
        Plan {
            rounds: self.rounds.unwrap_or(rounds),
            seconds: self.seconds.unwrap_or(seconds),
            warm_up_s: self.warm_up.unwrap_or(warm_up_s),
            connections: self.connections,
            connections_at_a_rate: round::CONNECTIONS_AT_A_RATE,
            users: self.users,
            sessions_per_user: calls::SESSIONS_PER_USER,
        }
    }

    /// The builds of Streamgate: that of this tree, and whatever was named.
    fn builds(&self) -> Result<Vec<PathBuf>> {
        let mut builds = vec![binary_beside()?];
        for build in &self.streamgate {
            builds.push(
                build
                    .canonicalize()
                    .map_err(|error| missing(build, &error))?,
            );
        }
        Ok(builds)
    }
}

fn missing(binary: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", binary.display())
}

/// Compares, writes both files, and answers what to print.
pub(crate) fn run(arguments: &Arguments) -> Result<String> {
    let (plan, builds) = (arguments.plan(), arguments.builds()?);
    let subjects = subject::only(subject::all(&builds), &arguments.only)?;
    let is_run = |is: fn(&Kind) -> bool| subjects.iter().filter_map(Subject::server).any(is);
    // What is missing should be said before anything is measured.
    let redis = match is_run(|kind| matches!(kind, Kind::Redis(_))) {
        true => Some(server::redis_version()?),
        false => None,
    };
    if is_run(|kind| matches!(kind, Kind::Streamgate(_))) && !builds[0].exists() {
        let package = "build it: cargo build -p streamgate, with the profile of this program";
        return Err(missing(&builds[0], &package).into());
    }
    fs::create_dir_all(&arguments.out)?;
    let dir = arguments.dir.as_deref().unwrap_or(&arguments.out);
    let machine = Machine::here(dir, redis);
    let mut all: Vec<Measurement> = Vec::new();
    all.extend(subjects.into_iter().map(|subject| Measurement {
        subject,
        rounds: Vec::new(),
    }));
    for number in 1..=plan.rounds {
        // In turn, not one after the other: what else the machine does falls on all of them alike.
        for measurement in &mut all {
            measurement
                .rounds
                .push(round::run(&measurement.subject, &plan, dir)?);
            progress(number, &plan, measurement)?;
        }
    }
    let findings = goals::findings(&all);
    let files = write(&arguments.out, &machine, &plan, &all, &findings)?;
    Ok(said(&machine, &plan, &all, &findings) + &files)
}

/// Says how far it is, on the side.
fn progress(number: u32, plan: &Plan, measurement: &Measurement) -> Result<()> {
    let last = measurement
        .rounds
        .last()
        .ok_or("it was measured just now")?;
    Ok(writeln!(
        std::io::stderr(),
        "{number}/{}  {:<40} {:>9}/s {:>7.1} µs  p99 {}",
        plan.rounds,
        measurement.subject.name,
        streamgate_loadgen::figures::rate(last.measured.requests_per_s),
        last.cpu_us_per_request,
        streamgate_loadgen::figures::ms(last.measured.latency_ms.p99),
    )?)
}

/// What is printed, but for the files.
fn said(machine: &Machine, plan: &Plan, all: &[Measurement], findings: &[Finding]) -> String {
    let rounds = all.first().map_or(0, |it| it.rounds.len());
    let mut said = format!("{}\n\n", text::on(machine, plan));
    said += &text::markdown(&text::figures(all));
    if !findings.is_empty() {
        said += &text::markdown(&text::findings(findings, rounds));
    }
    for note in text::notes(machine, plan, all) {
        said += &format!("{note}\n");
    }
    said
}

/// Writes the page, and every round's figures for programs.
fn write(
    out: &Path,
    machine: &Machine,
    plan: &Plan,
    all: &[Measurement],
    findings: &[Finding],
) -> Result<String> {
    let (page, data) = (out.join("compare.html"), out.join("compare.json"));
    fs::write(&page, page::html(machine, plan, all, findings)?)?;
    let subjects: Vec<_> = all.iter().map(|it| of_subject(plan, it)).collect();
    let all = json!({
        "machine": machine,
        "plan": plan,
        "findings": findings,
        "subjects": subjects,
    });
    fs::write(&data, serde_json::to_vec_pretty(&all)?)?;
    Ok(format!("\n{}\n{}\n", page.display(), data.display()))
}

fn of_subject(plan: &Plan, measurement: &Measurement) -> serde_json::Value {
    let spread = |figure| measurement.spread(figure);
    json!({
        "id": measurement.subject.id,
        "name": measurement.subject.name,
        "build": measurement.subject.build,
        "requests_per_s_asked": measurement.subject.per_second,
        "connections": measurement.subject.server().map(|_| plan.connections_of(measurement.subject.per_second)),
        "requests_per_s": spread(Figure::RequestsPerS),
        "cpu_us_per_request": spread(Figure::CpuUs),
        "p50_ms": spread(Figure::P50Ms),
        "p99_ms": spread(Figure::P99Ms),
        "p99_9_ms": spread(Figure::P999Ms),
        "memory_bytes": measurement.subject.server().map(|_| spread(Figure::MemoryBytes)),
        "rounds": measurement.rounds,
    })
}
