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

use std::io;
use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use rustix::process::Signal;
use rustls::crypto::aws_lc_rs;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // The provider of cryptography of all TLS in this process.
    aws_lc_rs::default_provider()
        .install_default()
        .expect("nothing has chosen a provider before");
    // Without the handler, only the message is missing: the signal says why the process ended.
    let _ = handle_file_size_limit();
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

/// Has a write beyond the limit of file sizes (`ulimit -f`) fail with EFBIG, which every command
/// reports. By default SIGXFSZ ends the process without a word.
fn handle_file_size_limit() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    // tokio never removes a handler, so it outlives the runtime and the listener.
    let number = Signal::XFSZ.as_raw();
    signal(SignalKind::from_raw(number)).map(drop)
}
