//! `streamgate store`: checks and repairs a data directory that no server uses; creates tables.
//!
//! What is *not* here: the tools themselves (`streamgate-store-embedded`).

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use streamgate_store_embedded::OpenError;
use streamgate_store_embedded::tools::{check, repair, stats};

use super::settings_args::SettingsArgs;
use crate::config::sections::store::TableSettings;
use crate::exit::{Code, Failure};
use crate::{dynamodb, output, serve, store_errors};

/// Check or repair a data directory. Stop the server that uses it first.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read everything and list all damage; changes nothing
    ///
    /// Exits with 0 if nothing is damaged, else with 1. A torn end of the log, which a crash leaves
    /// behind, is not damage: the next start cuts it off.
    Check(DirArgs),
    /// Make a damaged directory usable again
    ///
    /// Keeps all intact data. The old files are moved to a subdirectory; nothing is deleted.
    Repair(DirArgs),
    /// Print how many users, sessions and bytes a directory holds
    Stats(DirArgs),
    /// Create a DynamoDB table, for store.url = "dynamodb://TABLE"
    ///
    /// The table has one key, on-demand capacity, and a TTL that removes unneeded records. A table
    /// that exists is left as it is, if it is usable.
    #[command(after_help = "\
Example:
  streamgate store create-table sessions --region eu-west-1

Credentials, and the region unless it is named, come from the AWS environment: variables, profile,
role.")]
    CreateTable(TableArgs),
}

/// The table to create.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// The name of the table
    #[arg(value_name = "TABLE")]
    table: String,

    /// The region
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// The URL of another endpoint, such as an emulator's
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
}

/// The directory to work on.
#[derive(Debug, Args)]
#[command(after_help = "\
The directory is the first of: DIR or --data-dir, STREAMGATE_DATA_DIR, data_dir of the settings
file, ./streamgate-data.")]
pub(crate) struct DirArgs {
    /// The data directory
    #[arg(value_name = "DIR", conflicts_with = "data_dir")]
    dir: Option<PathBuf>,

    /// The data directory, as `serve` calls it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl DirArgs {
    /// The directory. Other settings are not read if it is named on the command line.
    fn dir(self) -> Result<PathBuf, Failure> {
        match self.dir.or(self.data_dir) {
            Some(dir) => Ok(dir),
            None => Ok(self.settings.load_or_fail()?.settings.general.data_dir),
        }
    }
}

/// Runs the command.
pub(crate) fn run(command: StoreCommand) -> Result<(), Failure> {
    match command {
        StoreCommand::Check(args) => {
            let report = of_dir(&args.dir()?, check)?;
            if report.is_sound() {
                return Ok(());
            }
            Err(
                Failure::new(Code::Problem, "the data directory is damaged").hint(
                    "copy the directory first; then `streamgate store repair` keeps what is whole",
                ),
            )
        }
        StoreCommand::Repair(args) => of_dir(&args.dir()?, repair).map(drop),
        StoreCommand::Stats(args) => of_dir(&args.dir()?, stats).map(drop),
        StoreCommand::CreateTable(args) => create_table(args),
    }
}

fn create_table(args: TableArgs) -> Result<(), Failure> {
    let settings = TableSettings {
        table: args.table,
        region: args.region,
        endpoint: args.endpoint,
    };
    let done = serve::runtime()?.block_on(dynamodb::create_table(&settings))?;
    output::line(&done);
    Ok(())
}

/// Runs a tool on a directory and prints its report.
fn of_dir<T: Display>(
    dir: &Path,
    tool: impl Fn(&Path) -> Result<T, OpenError>,
) -> Result<T, Failure> {
    let report = tool(dir).map_err(|error| store_errors::failure(&error))?;
    output::line(&report.to_string());
    Ok(report)
}
