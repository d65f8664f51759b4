//! Error reports to Sentry, in builds with the feature `sentry`.
//!
//! What is *not* here: which lines are reports (`streamgate-server`), and how they are sent
//! (`streamgate-sentry`).

use std::sync::Arc;

use streamgate_sentry::{Dsn, SentryReports, SentrySettings};
use streamgate_server::Metrics;
use streamgate_server::telemetry::ErrorReports;

use crate::config::sections::sentry::Sentry;
use crate::exit::{Code, Failure};

/// Checks the address of a project.
pub(crate) fn check_dsn(text: &str) -> Result<(), String> {
    // The text has a key, and the error does not repeat it.
    let parsed = text.parse::<Dsn>();
    parsed.map_or_else(|error| Err(format!("is not a DSN: {error}")), |_| Ok(()))
}

/// Starts the sender; `None` without a DSN.
pub(crate) fn start(
    settings: &Sentry,
    metrics: &Metrics,
) -> Result<Option<Arc<dyn ErrorReports>>, Failure> {
    let Some(dsn) = &settings.dsn else {
        return Ok(None);
    };
    let dsn = dsn.parse::<Dsn>();
    let dsn = dsn.map_err(|error| Failure::new(Code::Usage, format!("sentry.dsn: {error}")))?;
    let settings = SentrySettings {
        dsn,
        environment: settings.environment.clone(),
    };
    let reports = SentryReports::start(settings, metrics.reports_dropped());
    let reports = reports.map_err(|error| {
        Failure::new(
            Code::Problem,
            format!("no thread for error reports: {error}"),
        )
    })?;
    Ok(Some(Arc::new(reports)))
}
