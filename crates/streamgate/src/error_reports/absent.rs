//! Error reports in a build without the feature `sentry`: there are none.

use std::sync::Arc;

use streamgate_server::Metrics;
use streamgate_server::telemetry::ErrorReports;

use crate::config::sections::sentry::Sentry;
use crate::exit::Failure;

/// Refuses every address.
pub(crate) fn check_dsn(_text: &str) -> Result<(), String> {
    Err("needs a build that has Sentry: cargo build --features sentry".to_owned())
}

/// No sender.
pub(crate) fn start(
    _settings: &Sentry,
    _metrics: &Metrics,
) -> Result<Option<Arc<dyn ErrorReports>>, Failure> {
    Ok(None)
}
