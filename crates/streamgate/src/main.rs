//! The `streamgate` binary: `serve`, and the commands around it.
//!
//! The only crate that knows everything: it reads the settings, opens the store, and puts engine
//! and server on top. What is *not* here: rules, endpoints, bytes on disk.

mod client;
mod commands;
mod config;
mod dynamodb;
#[cfg_attr(not(feature = "sentry"), path = "error_reports/absent.rs")]
mod error_reports;
mod exit;
mod import;
mod lambda;
mod loadtest;
mod output;
mod progress;
mod serve;
mod store_errors;
mod top;
#[cfg_attr(not(feature = "otlp"), path = "traces/absent.rs")]
mod traces;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use rustls::crypto::aws_lc_rs;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // The provider of cryptography of all TLS in this process.
    aws_lc_rs::default_provider()
        .install_default()
        .expect("nothing has chosen a provider before");
    let cli = match commands::Cli::try_parse_from(lambda::command_line()) {
        Ok(cli) => cli,
        Err(answer) => return exit::by_command_line(&answer),
    };
    let done = commands::run(cli).and_then(|()| output::finish());
    exit::flush();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
