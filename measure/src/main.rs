//! Measurements that decisions rest on. Not part of the product, and not in its default build.
//!
//! `cargo run --release -p streamgate-measure -- restart` measures how long an embedded store with many
//! sessions takes to come back. `costs`, `memory` and `nodes` say what
//! stores on servers take; `docs/scaling.md` reckons with their figures. `compare` holds Streamgate
//! against what it competes with; `docs/benchmarking.md` says how to read it. `growth` and `soak`
//! say what becomes of it with many users, and with time; `docs/performance.md` has their figures.

mod compare;
mod costs;
mod growth;
mod memory;
mod meter;
mod nodes;
mod restart;
mod rivals;
mod servers;
mod soak;
mod table;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use streamgate_store_embedded::OnFatal;

/// That of the product: what it is held against has none that is worse, and what is measured in
/// this process costs what it costs there.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What can go wrong in a measurement; it ends the program.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Measurements of Streamgate.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// How long the embedded store takes to come back.
    Restart {
        /// How many users, with two live sessions each.
        #[arg(long, default_value_t = 500_000)]
        users: u64,
        /// Where the data goes.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// What each call asks of a store on a server, and what a million hours of streaming come to in
    /// calls and on DynamoDB. Counted, not timed: the same everywhere.
    Costs {
        /// What a million write request units cost, in USD.
        #[arg(long, default_value_t = 0.625)]
        write_usd: f64,
        /// What a million read request units cost, in USD.
        #[arg(long, default_value_t = 0.125)]
        read_usd: f64,
    },
    /// How much memory users with live sessions take.
    Memory {
        /// Where they are kept.
        #[arg(long, value_enum, default_value_t)]
        store: memory::Kept,
        /// How many users.
        #[arg(long, default_value_t = 200_000)]
        users: u64,
        /// How many sessions each has; their ids are UUIDs.
        #[arg(long, default_value_t = 2)]
        sessions: u64,
        /// How long the id of a user is, in letters.
        #[arg(long, default_value_t = 36)]
        user_letters: usize,
    },
    /// What calls cost a node, and a Redis server behind it, in processor time.
    Nodes(nodes::Arguments),
    /// The same load on few users and on many; and the restart, the memory and the disk they take.
    Growth(growth::Arguments),
    /// Ten minutes at full speed: whether memory and data directory level off.
    Soak(soak::Arguments),
    /// Streamgate beside bare HTTP servers and Redis: `./measure/run` builds what it needs.
    Compare(compare::Arguments),
    /// Serves as one of those that Streamgate is compared with, on a port of its own.
    #[command(hide = true)]
    Rival {
        /// Which of them.
        rival: rivals::Rival,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().measure) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody can be told, the code still tells.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(measure: Measure) -> Result<()> {
    let text = match measure {
        Measure::Restart { users, dir } => restart::run(&dir, users)?,
        Measure::Costs {
            write_usd,
            read_usd,
        } => costs::run(write_usd, read_usd)?,
        Measure::Memory {
            store,
            users,
            sessions,
            user_letters,
        } => memory::run(store, users, sessions, user_letters)?,
        Measure::Nodes(arguments) => nodes::run(&arguments)?,
        Measure::Growth(arguments) => growth::run(&arguments)?,
        Measure::Soak(arguments) => soak::run(&arguments)?,
        Measure::Compare(arguments) => compare::run(&arguments)?,
        Measure::Rival { rival } => return rivals::run(rival),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// A measurement of a store that fails is none.
fn failed() -> OnFatal {
    Arc::new(|error| panic!("the store failed: {error}"))
}

/// A length of time that makes sense.
fn seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.01..=3_600.0).contains(&seconds) {
        return Ok(seconds);
    }
    Err("must be from 0.01 to 3600".to_owned())
}
