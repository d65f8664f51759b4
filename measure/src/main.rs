//! Measurements that decisions rest on. Not part of the product, and not in its default build.
//!
//! `compare` measures Streamgate beside a bare HTTP server, the disk and Redis; `growth` with few
//! and with many users. `docs/benchmarking.md` says how to read them, and `docs/performance.md` has
//! their figures.
//!
//! What is *not* here: load, its measurement and reports (`streamgate_loadgen`); instructions of
//! the hot path (`measure/instructions`).

mod bare;
mod compare;
mod figures;
mod growth;
mod load;
mod servers;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// The product's, so that the servers it is compared with have no worse one.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// An error ends the measurement, and the program.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Measurements of Streamgate.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// Streamgate beside a bare HTTP server, the disk and Redis: `./measure/run` builds what it
    /// needs.
    Compare(compare::Arguments),
    /// The same load on few users and on many; their restart, memory and disk.
    Growth(growth::Arguments),
    /// Serves as the bare server that Streamgate is compared with.
    #[command(hide = true)]
    Bare,
}

/// Where results and data go.
#[derive(clap::Args)]
struct Places {
    /// The binary `streamgate` [default: that of the same build as this]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where the results go
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/out"))]
    out: PathBuf,
    /// Where servers keep their data; it must be on a real disk [default: where the results go]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Places {
    /// The binary, which must exist.
    fn binary(&self) -> Result<PathBuf> {
        let beside = std::env::current_exe()?.with_file_name("streamgate");
        let binary = self.binary.clone().unwrap_or(beside);
        let missing = "build it: cargo build -p streamgate, with the profile of this program";
        let found = binary.canonicalize();
        Ok(found.map_err(|error| format!("{}: {error}; {missing}", binary.display()))?)
    }

    /// A new directory for data, which ends with the value.
    fn data(&self) -> Result<tempfile::TempDir> {
        std::fs::create_dir_all(&self.out)?;
        Ok(tempfile::tempdir_in(
            self.dir.as_ref().unwrap_or(&self.out),
        )?)
    }
}

fn main() -> ExitCode {
    let said = match Arguments::parse().measure {
        Measure::Compare(arguments) => compare::run(&arguments),
        Measure::Growth(arguments) => growth::run(&arguments),
        Measure::Bare => bare::run(),
    };
    let printed = said.and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even that cannot be written, the exit code remains.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A length of time that makes sense, in seconds.
fn seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.01..=3_600.0).contains(&seconds) {
        return Ok(seconds);
    }
    Err("must be from 0.01 to 3600".to_owned())
}
