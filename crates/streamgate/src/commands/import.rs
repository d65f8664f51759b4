//! `streamgate import`: users and their live sessions from an earlier system.
//!
//! What is *not* here: how files are read and sent (`crate::import`).

use std::path::PathBuf;

use clap::Args;

use crate::client::{Client, ClientArgs};
use crate::exit::{Code, Failure};
use crate::import::{self, Input, RUN_AGAIN, Report, System};
use crate::output;

/// Move users and their sessions over from an earlier system, to a running server
///
/// Sessions are started as far as slots are free: none that is live gives way, and none that ended
/// here is started again. So an import may run while players call, and may be repeated: what was
/// imported is not counted twice. What is skipped is reported with its reason. The key needs scope
/// admin.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  streamgate import --from user-streams db.json --dry-run
  streamgate import --from stream-requests database.json
  aws dynamodb scan --table-name TABLE > table.json
  streamgate import --from session-tracker table.json
  gunzip -c data/*.json.gz | streamgate import --from session-tracker -")]
pub(crate) struct ImportArgs {
    /// The system that made the file
    #[arg(long, value_enum, value_name = "SYSTEM")]
    from: System,

    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Read and check the file and say what would be sent; send nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    client: ClientArgs,
}

/// Runs the command.
pub(crate) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let input = Input::new(args.from, &args.file);
    let as_json = args.client.json;
    // A file is read to its end before anything is sent: a broken one changes nothing.
    let checked = (args.dry_run || input.is_repeatable())
        .then(|| check(&input))
        .transpose()?;
    if args.dry_run {
        print(&checked.unwrap_or_default(), true, as_json);
        return Ok(());
    }
    let client = Client::new(&args.client)?;
    import::ask(&client)?;
    let total = checked.map(|report| report.users());
    let (report, result) = import::send(&client, total, |each| input.read(each));
    print(&report, false, as_json);
    result?;
    match report.failures() {
        0 => Ok(()),
        failures => {
            let message =
                format!("{failures} could not be imported, though nothing is wrong with them");
            Err(Failure::new(Code::Problem, message).hint(RUN_AGAIN))
        }
    }
}

/// Reads a file and counts what is in it.
fn check(input: &Input) -> Result<Report, Failure> {
    let mut report = Report::default();
    input.read(&mut |found| {
        report.count(found);
        Ok(())
    })?;
    Ok(report)
}

fn print(report: &Report, is_dry: bool, as_json: bool) {
    if as_json {
        output::json(&report.json(is_dry));
    } else {
        output::text(&report.text(is_dry));
    }
}
