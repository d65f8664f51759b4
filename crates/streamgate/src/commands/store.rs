//! `streamgate store`: checks and repairs a data directory that no server uses; backs up and
//! restores one; creates tables.
//!
//! What is *not* here: the tools themselves (`streamgate-store-embedded`).

use std::fmt::Display;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use streamgate_clock as clock;
use streamgate_server::rfc3339;
use streamgate_store_embedded::OpenError;
use streamgate_store_embedded::tools::{
    BackupReport, check, receive, receive_and_keep, repair, restore, stats,
};

use super::settings_args::SettingsArgs;
use crate::client::{Client, ClientArgs};
use crate::config::sections::store::TableSettings;
use crate::exit::{Code, Failure};
use crate::{dynamodb, output, serve, store_errors};

/// Where a server has its backup.
const BACKUP_PATH: &str = "/admin/backup";

/// Check or repair a data directory (stop the server that uses it first), back up and restore one.
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
    /// Write a backup of a running server with the embedded store
    ///
    /// The server goes on. The backup is one point in time, and everything that was answered before
    /// it is in it, heartbeats excepted. It is read back as a restart would before it gets its
    /// name. Exits with 0 only if DIR is a whole backup, on disk.
    #[command(after_help = "\
Examples:
  streamgate store backup /backup/before-upgrade --url http://127.0.0.1:8080
  streamgate store backup /backup/daily --keep 14

The key must be of scope admin and of the default tenant. Redis and DynamoDB have means of their
own, which the refusal names.")]
    Backup(BackupArgs),
    /// Make a data directory of a backup
    ///
    /// Checks the backup, writes a data directory that is empty or does not exist, and reads it
    /// back. Start a server on it afterwards, as the same user. Sessions that were live at the time
    /// of the backup are live again for one lease; what came after that time is lost.
    Restore(RestoreArgs),
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

/// The backup to write.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The directory to write; it must not exist, unless --keep makes it a directory of backups
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// Write DIR/streamgate-TIME instead, then remove the oldest backups there until N are left
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroUsize>,

    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout_s: u64,

    #[command(flatten)]
    client: ClientArgs,
}

/// The backup to restore, and where.
#[derive(Debug, Args)]
#[command(after_help = "\
The data directory is the first of: --data-dir, STREAMGATE_DATA_DIR, data_dir of the settings file,
./streamgate-data.")]
pub(crate) struct RestoreArgs {
    /// The backup, as `streamgate store backup` wrote it
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,

    /// The data directory to make
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    #[command(flatten)]
    settings: SettingsArgs,
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
        StoreCommand::Backup(args) => backup(&args),
        StoreCommand::Restore(args) => restore_to(args),
        StoreCommand::CreateTable(args) => create_table(args),
    }
}

fn backup(args: &BackupArgs) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    let timeout = Duration::from_secs(args.timeout_s);
    // The name is checked before the server is asked, and again at the end.
    let mut stream = BackupStream::NotAsked { client, timeout };
    let received = match args.keep {
        None => receive(&mut stream, &args.dir).map(|report| (report, Vec::new())),
        Some(keep) => {
            // A colon is no part of a file name elsewhere.
            let wall_ms = u64::try_from(clock::wall_ms()).unwrap_or(0);
            let time = rfc3339(wall_ms).replace(':', "");
            receive_and_keep(&mut stream, &args.dir, &time, keep)
        }
    };
    if let BackupStream::Refused(failure) = stream {
        return Err(failure);
    }
    let (report, removed) = received.map_err(|error| store_errors::of_backup(&error))?;
    let as_of = as_of(&report);
    if args.client.json {
        output::json(&json!({
            "dir": report.dir.to_string_lossy(),
            "as_of": as_of,
            "users": report.users,
            "live_sessions": report.live_sessions,
            "files": report.files,
            "bytes": report.bytes,
            "release": report.release,
            "removed": removed.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    output::line(&report.to_string());
    output::line(&format!(
        "as of {as_of}: everything that was answered before is in it, heartbeats excepted"
    ));
    for path in removed {
        output::line(&format!("removed {}", path.display()));
    }
    Ok(())
}

fn restore_to(args: RestoreArgs) -> Result<(), Failure> {
    let data_dir = match args.data_dir {
        Some(dir) => dir,
        None => args.settings.load_or_fail()?.settings.general.data_dir,
    };
    let report =
        restore(&args.backup, &data_dir).map_err(|error| store_errors::of_backup(&error))?;
    output::line(&report.to_string());
    output::line(&format!(
        "as of {}: sessions that were live then hold their slots for one lease after the start of \
         the server. What came later is lost: starts, stops, limits, erasures",
        as_of(&report)
    ));
    Ok(())
}

/// The point in time that a backup stands for.
fn as_of(report: &BackupReport) -> String {
    rfc3339(report.as_of_ms)
}

/// The answer of a server, which is asked at the first read: `receive` checks the name first.
enum BackupStream {
    NotAsked {
        client: Client,
        timeout: Duration,
    },
    Answering(Box<dyn Read>),
    /// The server refused; its reason is reported instead of that of the read.
    Refused(Failure),
}

impl Read for BackupStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if let Self::NotAsked { client, timeout } = self {
            *self = match client.download(BACKUP_PATH, *timeout) {
                Ok(body) => Self::Answering(body),
                Err(failure) => Self::Refused(failure),
            };
        }
        match self {
            Self::Answering(body) => body.read(bytes),
            Self::NotAsked { .. } | Self::Refused(_) => Err(io::Error::other("the server refused")),
        }
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
