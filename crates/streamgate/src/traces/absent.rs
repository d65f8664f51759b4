//! Traces in a build without the feature `otlp`: there are none.

use std::sync::Arc;

use streamgate_server::Metrics;
use streamgate_server::telemetry::Tracer;

use crate::config::sections::traces::Traces;
use crate::exit::Failure;

/// No exporter. Settings with an endpoint are refused before this is called.
pub(crate) fn start(
    _settings: &Traces,
    _metrics: &Metrics,
) -> Result<Option<Arc<dyn Tracer>>, Failure> {
    Ok(None)
}
