//! Error reports: every line at `error`, for a service that collects them. Panics are such lines.
//!
//! The layer stands behind [`Repeats`](super::Repeats), so a cause that repeats is reported once.
//! What is *not* here: the sender, which is an optional crate.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::fields::ecs_name;
use super::{repeats, trace_context};

/// Takes error reports.
pub trait ErrorReports: fmt::Debug + Send + Sync {
    /// Takes a report. Never waits.
    fn report(&self, report: Report);

    /// Waits until all reports are sent or dropped, at most for `patience`; whether they are.
    fn flush(&self, patience: Duration) -> bool;
}

/// An error: what the line in the log says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The message, the same for every error of this kind.
    pub message: String,
    /// The module that logged it.
    pub logger: &'static str,
    /// The other fields, by their names in the Elastic Common Schema.
    pub fields: BTreeMap<String, String>,
}

/// The layer that makes reports of lines.
#[derive(Debug)]
pub(super) struct Reporting(pub(super) Arc<dyn ErrorReports>);

impl<S: Subscriber> Layer<S> for Reporting {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        // A sum of repeats is no new error.
        if *metadata.level() != Level::ERROR || metadata.target() == repeats::TARGET {
            return;
        }
        let mut report = Report {
            logger: metadata.target(),
            ..Report::default()
        };
        event.record(&mut Fields(&mut report));
        if let Some(trace) = trace_context::current() {
            let id = trace.trace_id().as_str().to_owned();
            report.fields.insert("trace.id".to_owned(), id);
        }
        self.0.report(report);
    }
}

struct Fields<'a>(&'a mut Report);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.0.message = value.to_owned(),
            name => {
                let name = ecs_name(name).into_owned();
                self.0.fields.insert(name, value.to_owned());
            }
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
