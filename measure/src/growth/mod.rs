//! How Streamgate grows: the same load on few users and on many, the restart, the memory and the
//! disk that their sessions take.
//!
//! The sessions are put into data directories by the engine's own decisions, without HTTP, because
//! twenty million starts would take longer than all the rest. What is measured is the real binary
//! on these directories, all of them at the same time, called in turn.
//!
//! What is *not* here: what a call costs beside other servers ([`crate::compare`]); how a store
//! comes back from its log alone ([`crate::restart`]).

mod fill;
mod measure;
mod report;

use std::fs;
use std::path::PathBuf;

use crate::Result;
use crate::servers::binary_beside;
use measure::{Crowd, Plan};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many users there are, with two live sessions each; the first is what the others are held
    /// against.
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000,10000000")]
    users: Vec<u64>,
    /// How often all is called in turn; the figures are medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// How long each run counts, in seconds.
    #[arg(long, default_value_t = 3.0, value_parser = crate::seconds)]
    seconds: f64,
    /// The binary; unless named, that of the same build as this.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where the results go.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/out"))]
    out: PathBuf,
    /// Where the data go; a hundred bytes a session [default: where the results go].
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Measures, writes both files, and answers what to print.
pub(crate) fn run(arguments: &Arguments) -> Result<String> {
    let binary = arguments.binary.clone().map_or_else(binary_beside, Ok)?;
    fs::create_dir_all(&arguments.out)?;
    let dir = arguments.dir.as_ref().unwrap_or(&arguments.out);
    let plan = Plan {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
    };
    let mut crowds = Vec::new();
    for users in &arguments.users {
        crowds.push(Crowd::gather(*users, &binary, dir)?);
    }
    for round in 1..=plan.rounds {
        // In turn, not one after the other: what else the machine does falls on all of them alike.
        for crowd in &mut crowds {
            crowd.call(&plan, round)?;
        }
    }
    report::write(&crowds, &plan, &arguments.out)
}
