//! The flags that find the settings; every command that reads settings has them.

use std::path::PathBuf;

use clap::Args;

use crate::config::{self, KeyPath, Loaded, Problem, Sources};
use crate::exit::{Code, Failure};

/// Where settings come from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SettingsArgs {
    /// Read settings from this TOML file
    ///
    /// No file is read unless one is named, here or by STREAMGATE_CONFIG. `streamgate config
    /// default` prints one to begin with.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Set any setting, such as --set policy.lease_s=60; may be repeated
    ///
    /// Wins over the environment and the file. docs/configuration.md lists every setting.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(KeyPath, String)>,
}

impl SettingsArgs {
    /// Where the settings come from; `flags` are those of the command's flags that are settings, by
    /// path, value and the name of the flag.
    pub(crate) fn sources(self, flags: Vec<(&'static str, String, &'static str)>) -> Sources {
        let set = self
            .set
            .into_iter()
            .map(|(path, text)| (path, text, "--set".to_owned()));
        let own = flags
            .into_iter()
            .map(|(path, text, flag)| (KeyPath::new(path), text, flag.to_owned()));
        Sources {
            file: self.config,
            // The command's own flags win over --set: they come last.
            flags: set.chain(own).collect(),
        }
    }

    /// Loads the settings.
    pub(crate) fn load(self) -> Result<Loaded, Vec<Problem>> {
        config::load(self.sources(Vec::new()))
    }

    /// Loads the settings, or reports everything that is wrong with them.
    pub(crate) fn load_or_fail(self) -> Result<Loaded, Failure> {
        load_or_fail(self.sources(Vec::new()))
    }
}

/// Loads the settings, or reports everything that is wrong with them.
pub(crate) fn load_or_fail(sources: Sources) -> Result<Loaded, Failure> {
    config::load(sources).map_err(|problems| failure(Code::Usage, &problems))
}

/// All problems as one failure.
pub(crate) fn failure(code: Code, problems: &[Problem]) -> Failure {
    let list: Vec<String> = problems.iter().map(|it| format!("\n  {it}")).collect();
    let count = match problems {
        [_] => "a setting is wrong".to_owned(),
        _ => format!("{} settings are wrong", problems.len()),
    };
    Failure::new(code, format!("{count}:{}", list.concat())).hint(
        "`streamgate config default` prints every setting with its default and what it is for",
    )
}

/// Takes `policy.lease_s=60` apart. The part before `=` is a TOML key, quotes included.
fn assignment(text: &str) -> Result<(KeyPath, String), String> {
    let wrong = || format!("{text:?} is not of the form KEY=VALUE, such as policy.lease_s=60");
    // A quoted part of the key may hold a `=` of its own.
    text.match_indices('=')
        .find_map(|(at, _)| Some((KeyPath::parse(&text[..at])?, text[at + 1..].to_owned())))
        .ok_or_else(wrong)
}
