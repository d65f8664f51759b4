//! How many instructions the hot path takes, and a budget that holds them.
//!
//! Times on shared machines say little; instructions are the same everywhere. `--check` is part of
//! what must pass before a change lands; `CONTRIBUTING.md` says how to read and update it.
//!
//! Each path runs in a process of its own under callgrind: it prepares, warms up, and is then
//! counted. All threads count, and the kernel does not.
//!
//! What is *not* here: times (the benches of the crates), and rivals (`streamgate-measure`), which
//! would make the build slow.

mod audience;
mod budget;
mod callgrind;
mod laps;
mod paths;
mod report;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

use budget::{Budget, Machine};
use callgrind::Callgrind;
use paths::Path;
use report::{Line, table};

/// The product's, whose instructions count as well.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What can go wrong in a measurement; it ends the program.
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
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/budget.toml"))]
    budget: PathBuf,
    /// Paths, or beginnings of their names, as in `core/`; all where none is named.
    paths: Vec<String>,
    #[command(subcommand)]
    walk: Option<Walk>,
}

#[derive(Subcommand)]
enum Walk {
    /// Walks one path and does nothing else: this is what runs under callgrind.
    #[command(hide = true)]
    Walk { path: String },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.walk {
        Some(Walk::Walk { path }) => {
            paths::named(path).and_then(|path| (path.walk)(path.repetitions))
        }
        None => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where not even that can be written, the exit code says it.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures what is asked for, prints it, and holds it to the budget or makes it the budget.
fn run(arguments: &Arguments) -> Result<()> {
    let paths = paths::chosen(&arguments.paths)?;
    let budget = Budget::read(&arguments.budget, arguments.check)?;
    let here = Machine::here();
    if arguments.check {
        budget.machine.check_same_kind(&here)?;
    }
    let callgrind = Callgrind::find(arguments.profile.as_deref())?;
    let lines = measure(&callgrind, &paths, &budget)?;
    std::io::stdout().write_all(table(&lines).as_bytes())?;
    if arguments.write {
        return Budget::of_measured(&lines, here).write(&arguments.budget);
    }
    if arguments.check {
        return budget.verdict(&lines, &here, arguments.paths.is_empty());
    }
    Ok(())
}

/// Counts these paths, each less what its client takes.
fn measure(callgrind: &Callgrind, paths: &[&'static Path], budget: &Budget) -> Result<Vec<Line>> {
    let is_over_http = paths.iter().any(|path| path.calls > 0);
    let client = is_over_http.then(|| callgrind.of_client()).transpose()?;
    let measured = paths.iter().map(|path| {
        Ok(Line {
            path: path.name,
            instructions: callgrind.of_operation(path, client.unwrap_or_default())?,
            budget: budget.of(path.name),
        })
    });
    measured.collect()
}
