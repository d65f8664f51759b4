//! Measurements that decisions rest on. Not part of the product, and not in its default build.
//!
//! `cargo run --release -p streamgate-bench -- store-candidates` compares what could carry the
//! embedded store; `docs/adr/0002-embedded-store-is-a-log.md` has its figures. `restart` measures
//! how long a store with many sessions takes to come back.

mod candidates;
mod meter;
mod restart;
mod rounds;
mod table;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

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
    /// What durable commits cost with the log, fjall and redb behind one group-commit writer.
    StoreCandidates {
        /// One short round instead of five: to see that it runs.
        #[arg(long)]
        quick: bool,
        /// Where the data goes; it must be a real disk.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// How long the embedded store takes to come back.
    Restart {
        /// How many users, with two live sessions each.
        #[arg(long, default_value_t = 500_000)]
        users: u64,
        /// Where the data goes.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
}

fn main() -> Result<()> {
    let text = match Arguments::parse().measure {
        Measure::StoreCandidates { quick, dir } => rounds::run(&dir, quick)?,
        Measure::Restart { users, dir } => restart::run(&dir, users)?,
    };
    use std::io::Write;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
