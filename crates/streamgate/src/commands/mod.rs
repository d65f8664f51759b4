//! The command line: one command, one module.
//!
//! What is *not* here: what `serve` does (`crate::serve`), how the API is called (`crate::client`).

pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod openapi;
pub(crate) mod serve;
pub(crate) mod sessions;
pub(crate) mod settings_args;
pub(crate) mod store;
pub(crate) mod top;
pub(crate) mod users;

use clap::{Parser, Subcommand};

use crate::exit::{EXIT_CODES, Failure};

/// Streamgate answers one question, exactly and over HTTP: may this user start another stream?
#[derive(Debug, Parser)]
#[command(
    name = "streamgate",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = AFTER_HELP.as_str(),
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

static AFTER_HELP: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    format!(
        "\
Try it:
  streamgate serve
  curl -X POST http://127.0.0.1:8080/v1/users/anna/sessions
  streamgate sessions list --user anna

{EXIT_CODES}"
    )
});

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(serve::ServeArgs),
    /// Make API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Look at the settings: check them, show what counts, print a default file
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Check, repair, back up and restore a data directory; create a DynamoDB table
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Look at users and change their limits, through a running server
    Users(users::UsersCommand),
    /// Look at live sessions and stop them, through a running server
    Sessions(sessions::SessionsCommand),
    /// Move users and their sessions over from an earlier system, to a running server
    Import(import::ImportArgs),
    /// Put load on a running server and measure how it copes
    #[command(long_about = bench::ABOUT)]
    Bench(bench::BenchArgs),
    /// Watch what a running server does, live: rates, sessions, refusals, latency
    Top(top::TopArgs),
    /// Ask a running server whether it can serve; for health checks
    Health(health::HealthArgs),
    /// Print the OpenAPI 3.1 document of the HTTP API
    Openapi(openapi::OpenapiArgs),
}

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Key(command) => key::run(command),
        Command::Config(command) => config::run(command),
        Command::Store(command) => store::run(command),
        Command::Users(command) => users::run(command),
        Command::Sessions(command) => sessions::run(command),
        Command::Import(args) => import::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Health(args) => health::run(args),
        Command::Openapi(args) => {
            openapi::run(&args);
            Ok(())
        }
    }
}
