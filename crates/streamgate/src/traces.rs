//! Traces to an OpenTelemetry collector, in builds with the feature `otlp`.
//!
//! What is *not* here: which requests are recorded, and how spans are sent (`streamgate-otlp`).

use std::sync::Arc;

use streamgate_otlp::{OtlpSettings, OtlpTracer};
use streamgate_server::Metrics;
use streamgate_server::telemetry::Tracer;

use crate::config::sections::traces::Traces;
use crate::exit::{Code, Failure};

/// Starts the exporter; `None` without an endpoint.
pub(crate) fn start(
    settings: &Traces,
    metrics: &Metrics,
) -> Result<Option<Arc<dyn Tracer>>, Failure> {
    let Some(endpoint) = &settings.endpoint else {
        return Ok(None);
    };
    let settings = OtlpSettings {
        endpoint: endpoint.clone(),
        headers: settings.headers.clone(),
        one_in: settings.one_in,
        trusts_callers: settings.trusts_callers,
    };
    let tracer = OtlpTracer::start(settings, metrics.spans_dropped());
    let tracer = tracer
        .map_err(|error| Failure::new(Code::Problem, format!("no thread for traces: {error}")))?;
    Ok(Some(Arc::new(tracer)))
}
