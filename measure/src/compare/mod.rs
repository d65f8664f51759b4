//! Streamgate beside others, on one machine in one sitting: bare HTTP servers, which show the cost
//! of the work before any decision; the disk alone, which bounds how soon anything can be durable;
//! and Redis, which is what teams build instead. `compare.toml` says what is compared and what is
//! asked.
//!
//! Machines drift. So all subjects run in turn in every round, and ratios are taken within a round.

mod others;
mod report;
mod round;
mod table;

use std::io::Write as _;
use std::path::PathBuf;

use streamgate_loadgen::figures::{ms, rate};

use crate::{Places, Result};
use round::Plan;
use table::{Figure, Measurement, Table};

/// How to compare.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Three short rounds, about a minute: to see how things stand
    #[arg(long)]
    quick: bool,
    /// How often everything is run; the figures are medians [default: 5]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: Option<u32>,
    /// How long each run counts, in seconds [default: 4]
    #[arg(long, value_parser = crate::seconds)]
    seconds: Option<f64>,
    /// How long each runs before that, in seconds [default: 1]
    #[arg(long, value_parser = crate::seconds)]
    warm_up: Option<f64>,
    /// Only these: ids, or the beginnings of ids, as in `axum,streamgate-start`
    #[arg(long, value_name = "SUBJECT", value_delimiter = ',')]
    only: Vec<String>,
    /// Another build of the binary `streamgate`, measured in turn with the first; any number of
    /// them
    #[arg(long, value_name = "PATH")]
    streamgate: Vec<PathBuf>,
    /// Keep-alive connections of closed loops; open loops have 256
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How many users heartbeats are for; each has two sessions, and a batch takes a thousand
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(500..))]
    users: u64,
    #[command(flatten)]
    places: Places,
}

/// Compares, writes both files, and returns what to print.
pub(crate) fn run(arguments: &Arguments) -> Result<String> {
    let (rounds, seconds, warm_up_s) = match arguments.quick {
        true => (3, 0.6, 0.2),
        false => (5, 4.0, 1.0),
    };
    let mut builds = vec![arguments.places.binary()?];
    for build in &arguments.streamgate {
        let found = build.canonicalize();
        builds.push(found.map_err(|error| format!("{}: {error}", build.display()))?);
    }
    let data = arguments.places.data()?;
    let plan = Plan {
        rounds: arguments.rounds.unwrap_or(rounds),
        seconds: arguments.seconds.unwrap_or(seconds),
        warm_up_s: arguments.warm_up.unwrap_or(warm_up_s),
        connections: arguments.connections,
        users: arguments.users,
        builds,
        dir: data.path().to_owned(),
    };
    let table = Table::read(plan.builds.len(), &arguments.only)?;
    // What is missing is named before anything is measured.
    others::check(&table.subjects)?;
    let machine = report::Machine::here(&plan.dir)?;
    let start = |subject| Measurement {
        subject,
        rounds: Vec::new(),
    };
    let mut all: Vec<Measurement> = table.subjects.into_iter().map(start).collect();
    for number in 1..=plan.rounds {
        for measurement in &mut all {
            let round = round::run(&measurement.subject, &plan)?;
            let figure = |figure: Figure| figure.of(&round).unwrap_or_default();
            writeln!(
                std::io::stderr(),
                "{number}/{}  {:<44} {:>9}/s {:>7.1} µs  p99 {}",
                plan.rounds,
                measurement.subject.name,
                rate(figure(Figure::RequestsPerS)),
                figure(Figure::CpuUs),
                ms(figure(Figure::P99Ms)),
            )?;
            measurement.rounds.push(round);
        }
    }
    let findings = table::findings(&table.goals, &all);
    report::write(&machine, &plan, &all, &findings, &arguments.places.out)
}
