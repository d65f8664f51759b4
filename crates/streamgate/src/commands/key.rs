//! `streamgate key`: API keys. Nothing is stored: the operator puts the hash into the settings.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use streamgate_server::{generate_key, hash_key};

use crate::client::id;
use crate::exit::{Code, Failure};
use crate::output;

/// Make API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; prints it once, and what to put into the settings
    ///
    /// The key itself is stored nowhere; the settings hold only its SHA-256. Callers send it as
    /// `x-api-key: KEY` or `Authorization: Bearer KEY`.
    #[command(after_help = "\
Examples:
  streamgate key new --name players
  streamgate key new --scope admin --name ops >> streamgate.toml

The second form appends the settings to a file and leaves the key itself on the screen.")]
    New(NewArgs),
}

/// What the key is for.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// What the key may do
    #[arg(long, value_enum, default_value_t = ScopeWord::Player)]
    scope: ScopeWord,

    /// What you call the key; appears in logs. Unless given, what its scope is called
    #[arg(long, value_parser = id)]
    name: Option<String>,

    /// Print one JSON object with key, name, scope and sha256
    #[arg(long)]
    json: bool,
}

/// Scopes as the command line calls them.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScopeWord {
    /// Starts, renews, stops and lists sessions of a user
    Player,
    /// Also sets plans, limits and profiles of users
    Service,
    /// Everything
    Admin,
}

impl ScopeWord {
    fn as_str(self) -> &'static str {
        match self {
            Self::Player => "player",
            Self::Service => "service",
            Self::Admin => "admin",
        }
    }
}

/// Runs the command.
pub(crate) fn run(KeyCommand::New(args): KeyCommand) -> Result<(), Failure> {
    let key = generate_key().map_err(|error| {
        Failure::new(Code::Problem, format!("no random bytes for a key: {error}"))
    })?;
    let (scope, sha256) = (args.scope.as_str(), hash_key(&key));
    let name = args.name.unwrap_or_else(|| scope.to_owned());
    if args.json {
        output::json(&json!({ "key": key, "name": name, "scope": scope, "sha256": sha256 }));
        return output::finish_once().map_err(lost);
    }
    output::note_once(&format!(
        "The key, shown this once (give it to the caller):\n\n  {key}\n\n\
         For the settings file of the server:\n"
    ))
    .map_err(lost)?;
    let name = toml::Value::String(name);
    output::line(&format!(
        "[[keys]]\nname = {name}\nsha256 = \"{sha256}\"\nscope = \"{scope}\""
    ));
    output::finish_once().map_err(lost)
}

/// A key is of use only with its hash, and neither is stored.
fn lost(failure: Failure) -> Failure {
    failure.hint(
        "this key is lost: do not use it. Remove it from the settings file if it got there, and \
         make another",
    )
}
