//! Logs: where they go and how they look.
//!
//! The pipeline of a line: [`EnvFilter`], [`Repeats`] (rate limit of repeated failures), a layer
//! that formats ([`text`] or [`ecs`]), and the [`LineQueue`] with its writer thread. No caller waits
//! for the sink.
//!
//! What is *not* here: the events; each part of the server logs its own.

mod ecs;
pub mod fields;
mod queue;
mod repeats;
mod text;
pub mod trace_context;

use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

pub use queue::{LineQueue, QUEUE_MAX_BYTES};
pub use repeats::Repeats;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Human,
    /// One JSON object a line, with the field names of the Elastic Common Schema.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not in the syntax of `tracing_subscriber::EnvFilter`.
    #[error("the log filter is not valid: {0}")]
    Filter(#[from] ParseError),
    /// The process has a logger already.
    #[error("logging was set up twice")]
    Twice,
}

/// Installs the logger of the process, which writes to this queue. Call [`Repeats::report`] of the
/// result once a second.
///
/// `filter` is in the syntax of `EnvFilter`: `info`, `streamgate_server=debug,info`.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(format: LogFormat, filter: &str, queue: &LineQueue) -> Result<Repeats, TelemetryError> {
    let (subscriber, repeats) = subscriber(format, filter, queue)?;
    subscriber.try_init().map_err(|_| TelemetryError::Twice)?;
    Ok(repeats)
}

/// The logger that [`init`] installs, for tests to install it for themselves only.
///
/// # Errors
/// [`TelemetryError::Filter`].
pub fn subscriber(
    format: LogFormat,
    filter: &str,
    queue: &LineQueue,
) -> Result<(impl Subscriber + Send + Sync + 'static, Repeats), TelemetryError> {
    let lines = match format {
        LogFormat::Human => text::layer(queue.clone(), io::stderr().is_terminal()).boxed(),
        LogFormat::Json => ecs::layer(queue.clone()).boxed(),
    };
    let repeats = Repeats::default();
    let subscriber = Registry::default()
        .with(lines)
        .with(repeats.clone())
        .with(EnvFilter::try_new(filter)?);
    Ok((subscriber, repeats))
}
