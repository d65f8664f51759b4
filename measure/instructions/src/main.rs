//! How many instructions the hot path takes, and a budget that bounds them.
//!
//! Times on shared machines say little; instructions are the same everywhere. `--check` is part of
//! `.ci/run`; `CONTRIBUTING.md` says how to read and update the budget.
//!
//! Each path runs in a process of its own under callgrind: it prepares, warms up, and is then
//! counted. All threads count, and the kernel does not.
//!
//! What is *not* here: times (`cargo bench`), and other servers (`streamgate-measure`), which would
//! make the build slow.

mod audience;
mod budget;
mod callgrind;
mod paths;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

use budget::{Budget, Machine};
use callgrind::Callgrind;
use paths::Path;

/// The product's allocator: its instructions count as well.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The committed budget.
const BUDGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budget.toml");

/// An error ends the measurement, and the program.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Counts the instructions of the hot path.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Fail where a path takes more than its budget, or so much less that the budget should be
    /// lowered.
    #[arg(long, conflicts_with = "write")]
    check: bool,
    /// Make what is measured the budget.
    #[arg(long, conflicts_with = "paths")]
    write: bool,
    /// Keep what callgrind wrote about each path here, for `callgrind_annotate`.
    #[arg(long, value_name = "DIR")]
    profile: Option<PathBuf>,
    /// The budget.
    #[arg(long, value_name = "FILE", default_value = BUDGET)]
    budget: PathBuf,
    /// Paths, or beginnings of their names, as in `core/`; all where none is named.
    paths: Vec<String>,
    #[command(subcommand)]
    run: Option<Run>,
}

#[derive(Subcommand)]
enum Run {
    /// Runs one path and does nothing else: this is what runs under callgrind.
    #[command(hide = true)]
    Run { path: String },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.run {
        Some(Run::Run { path }) => paths::named(path).and_then(|path| (path.run)(path.repetitions)),
        None => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even that cannot be written, the exit code remains.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Counts the paths, each less what its client takes; then prints, and checks or writes the budget.
fn run(arguments: &Arguments) -> Result<()> {
    let paths = paths::chosen(&arguments.paths)?;
    let budget = match Budget::read(&arguments.budget) {
        // Only a check needs one.
        Err(_) if !arguments.check && !arguments.budget.exists() => Budget::default(),
        read => read?,
    };
    let callgrind = Callgrind::new(arguments.profile.as_deref())?;
    let is_over_http = paths.iter().any(|path| path.calls > 0);
    let client = is_over_http.then(|| callgrind.of_client()).transpose()?;
    let count = |path: &&'static Path| -> Result<(&'static str, u64)> {
        let count = callgrind.of_operation(path, client.unwrap_or_default())?;
        Ok((path.name, count))
    };
    let counts = paths.iter().map(count).collect::<Result<Vec<_>>>()?;
    std::io::stdout().write_all(budget.table(&counts).as_bytes())?;
    let here = Machine::here();
    if arguments.write {
        std::fs::write(&arguments.budget, budget.rewritten(&counts, &here))?;
    }
    if arguments.check {
        budget.check(&counts, &here, arguments.paths.is_empty())?;
    }
    Ok(())
}
