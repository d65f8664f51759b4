//! `streamgate config`: check, show, default, reference.

use clap::Subcommand;

use super::settings_args::{SettingsArgs, failure};
use crate::config;
use crate::exit::{Code, Failure};
use crate::output;

/// Look at the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say everything that is wrong with the settings
    ///
    /// Reads file and environment as `serve` does. Exits with 0 if all is well, else with 1. Warns
    /// of deprecated names, and of settings that are valid and work badly together.
    #[command(after_help = "Example:\n  streamgate config check --config streamgate.toml")]
    Check(SettingsArgs),
    /// Print the settings that count, and where each came from
    ///
    /// The output is itself a settings file, but for the hashes of keys, which are shortened.
    #[command(after_help = "Example:\n  STREAMGATE_POLICY_LEASE_S=60 streamgate config show")]
    Show(SettingsArgs),
    /// Print a settings file with every setting, its default and what it is for
    #[command(after_help = "Example:\n  streamgate config default > streamgate.toml")]
    Default,
    /// Print the reference of all settings, in Markdown
    Reference,
}

/// Runs the command.
pub(crate) fn run(command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(args) => match args.load() {
            Ok(loaded) => {
                for warning in loaded.warnings() {
                    output::note(&format!("warning: {warning}"));
                }
                output::line("the settings are valid");
                Ok(())
            }
            Err(problems) => Err(failure(Code::Problem, &problems)),
        },
        ConfigCommand::Show(args) => {
            let loaded = args.load_or_fail()?;
            output::text(&config::effective(&loaded));
            Ok(())
        }
        ConfigCommand::Default => {
            output::text(&config::default_file(&config::defaults()));
            Ok(())
        }
        ConfigCommand::Reference => {
            output::text(&config::reference(&config::defaults()));
            Ok(())
        }
    }
}
