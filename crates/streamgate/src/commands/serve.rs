//! `streamgate serve`: its flags. What it does is in `crate::serve`.

use clap::Args;

use super::settings_args::{self, SettingsArgs};
use crate::exit::Failure;
use crate::{lambda, serve};

/// Run the service.
///
/// With nothing set it listens on this machine only, asks for no key, and keeps its data in
/// ./streamgate-data. SIGTERM and SIGINT (Ctrl-C) let requests under way finish and write
/// everything to disk; SIGHUP reads the settings again.
///
/// If a flag is given twice the last one counts, so that flags can be added to those of a wrapper.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  streamgate serve
  streamgate serve --config streamgate.toml --listen 0.0.0.0:8080
  streamgate serve --set policy.default_limit=5 --set plans.basic.limit=1

Every setting is also a key of the file and an environment variable (STREAMGATE_LISTEN,
STREAMGATE_POLICY_LEASE_S). A flag wins over the environment, the environment over the file.
`streamgate config default` explains them all.

On AWS Lambda, which sets AWS_LAMBDA_RUNTIME_API, it answers events instead of listening
(deploy/aws/lambda/README.md).

Exits with 0 when told to stop, 2 if the settings are wrong, 74 if the store cannot be opened or
fails while serving; `streamgate --help` has them all.")]
pub(crate) struct ServeArgs {
    /// The IP address and port to listen on [default: 127.0.0.1:8080]
    ///
    /// Any address but a loopback one needs API keys (`streamgate key new`) or --allow-anonymous.
    /// Port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", overrides_with = "listen")]
    listen: Option<String>,

    /// The directory for the data [default: ./streamgate-data]
    #[arg(long, value_name = "DIR", overrides_with = "data_dir")]
    data_dir: Option<String>,

    /// Let anyone who can reach the address call, without API keys
    #[arg(long, overrides_with = "allow_anonymous")]
    allow_anonymous: bool,

    /// When a start or stop is acknowledged: fsync, os or none [default: fsync]
    ///
    /// fsync: when it is on disk. os: when the operating system has it; a power loss can take it
    /// back. none: at once; any crash can take it back.
    #[arg(long, value_name = "MODE", overrides_with = "durability")]
    durability: Option<String>,

    /// How log lines look: human or json [default: human]
    #[arg(long, value_name = "FORMAT", overrides_with = "log_format")]
    log_format: Option<String>,

    #[command(flatten)]
    settings: SettingsArgs,
}

/// Runs the command.
pub(crate) fn run(args: ServeArgs) -> Result<(), Failure> {
    let anonymous = args.allow_anonymous.then(|| "true".to_owned());
    let flags = [
        ("listen", args.listen, "--listen"),
        ("data_dir", args.data_dir, "--data-dir"),
        ("allow_anonymous", anonymous, "--allow-anonymous"),
        ("store.durability", args.durability, "--durability"),
        ("log.format", args.log_format, "--log-format"),
    ];
    let flags = flags
        .into_iter()
        .filter_map(|(path, text, flag)| Some((path, text?, flag)))
        .collect();
    let sources = args.settings.sources(flags);
    if let Some(api) = lambda::runtime_api() {
        return lambda::run(&api, sources);
    }
    let loaded = settings_args::load_or_fail(sources.clone())?;
    serve::run(&loaded, sources)
}
