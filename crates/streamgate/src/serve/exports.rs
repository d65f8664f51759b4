//! Traces and error reports of a server: started before the log, sent before the process ends.

use std::sync::Arc;
use std::time::Duration;

use streamgate_server::Metrics;
use streamgate_server::telemetry::{ErrorReports, TracedStore, Tracer};
use streamgate_store::Store;

use crate::config::Settings;
use crate::exit::{self, Failure};
use crate::{error_reports, traces};

/// How long the end of the process waits for traces, and as long again for error reports.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// What takes error reports and spans; each `None` unless it is set.
pub(super) struct Exports {
    pub(super) reports: Option<Arc<dyn ErrorReports>>,
    pub(super) tracer: Option<Arc<dyn Tracer>>,
}

impl Exports {
    /// Starts what is set, and has it flushed before the process ends.
    pub(super) fn start(settings: &Settings, metrics: &Metrics) -> Result<Self, Failure> {
        let reports = error_reports::start(&settings.sentry, metrics)?;
        let tracer = traces::start(&settings.traces, metrics)?;
        // What a flush could not send is counted as dropped, and the process ends all the same.
        if let Some(tracer) = tracer.clone() {
            exit::flush_before(move || _ = tracer.flush(FLUSH_MAX));
        }
        if let Some(reports) = reports.clone() {
            exit::flush_before(move || _ = reports.flush(FLUSH_MAX));
        }
        Ok(Self { reports, tracer })
    }

    /// The store as it is used: its calls are spans, if there are traces.
    pub(super) fn around(&self, store: Arc<dyn Store>, settings: &Settings) -> Arc<dyn Store> {
        let system = settings.store.system_name();
        match &self.tracer {
            None => store,
            Some(tracer) => TracedStore::around(store, Arc::clone(tracer), system),
        }
    }
}
