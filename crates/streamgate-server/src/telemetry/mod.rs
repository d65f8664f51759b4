//! Logs: where they go and how they look.
//!
//! The pipeline of a line: [`EnvFilter`], [`Repeats`] (rate limit of repeated failures), a layer
//! that formats (`text` or `ecs`), and the [`LineQueue`] with its writer thread. No caller waits
//! for the sink. Traces (`tracer`) and error reports (`reports`) leave by an [`Outbox`], which
//! no caller waits for either.
//!
//! The audit log (`audit`) is made of the same lines, and has a logger of its own.
//!
//! What is *not* here: the events; each part of the server logs its own.

pub(crate) mod audit;
mod ecs;
pub mod fields;
mod outbox;
mod queue;
mod repeats;
mod reports;
mod text;
mod trace_context;
mod traced_store;
mod tracer;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use tracing::Subscriber;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

pub use audit::{AuditSettings, TARGET as AUDIT_TARGET};
pub use outbox::{Outbox, OutboxLimits};
pub use prometheus_client::metrics::counter::Counter as DropCounter;
pub use queue::{LineQueue, QUEUE_MAX_BYTES};
pub use repeats::Repeats;
pub use reports::{ErrorReports, Report};
pub use trace_context::{Hex, TraceContext};
pub(crate) use trace_context::{
    NAME as TRACEPARENT_NAME, TRACEPARENT, TRACERESPONSE, TRACESTATE, within, within_sync,
};
pub use traced_store::TracedStore;
pub use tracer::{Span, SpanKind, SpanValue, Tracer};

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
/// `filter` is in the syntax of `EnvFilter`: `info`, `streamgate_server=debug,info`. Lines at
/// `error` go to `reports` as well.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(
    format: LogFormat,
    filter: &str,
    queue: &LineQueue,
    reports: Option<Arc<dyn ErrorReports>>,
) -> Result<Repeats, TelemetryError> {
    let (subscriber, repeats) = subscriber(format, filter, queue, reports)?;
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
    reports: Option<Arc<dyn ErrorReports>>,
) -> Result<(impl Subscriber + Send + Sync + 'static, Repeats), TelemetryError> {
    let lines = match format {
        LogFormat::Human => text::layer(queue.clone(), io::stderr().is_terminal()).boxed(),
        LogFormat::Json => ecs::layer(queue.clone()).boxed(),
    };
    let repeats = Repeats::default();
    let subscriber = Registry::default()
        .with(lines)
        .with(reports.map(reports::Reporting))
        .with(repeats.clone())
        .with(EnvFilter::try_new(filter)?);
    Ok((subscriber, repeats))
}
