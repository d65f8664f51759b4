//! Log lines as JSON in the Elastic Common Schema: one object a line, dotted names at the top
//! level.
//!
//! The `json-subscriber` crate writes the object; here is the mapping of fields to names.

use std::fmt;

use json_subscriber::{FieldWriter, JsonLayer};
use serde::Serialize;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::registry::LookupSpan;

use super::fields::{DURATION_US, ECS_VERSION, ecs_name};
use super::queue::LineQueue;
use super::trace_context;

/// The layer that writes lines to this queue.
pub(super) fn layer<S>(queue: LineQueue) -> JsonLayer<S, LineQueue>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let mut layer = JsonLayer::<S>::new(queue);
    // These would be printed to standard error by the thread that logs.
    layer.log_internal_errors(false);
    layer.with_timer("@timestamp", SystemTime);
    layer.with_level("log.level");
    layer.with_target("log.logger");
    layer.add_static_field("ecs.version", ECS_VERSION.into());
    layer.add_static_field("service.name", "streamgate".into());
    layer.add_static_field("service.version", env!("CARGO_PKG_VERSION").into());
    layer.add_multiple_dynamic_fields(|event, _, line| {
        event.record(&mut Named(line));
        if let Some(trace) = trace_context::current() {
            write(line, "trace.id", trace.trace_id().as_str());
            write(line, "span.id", trace.span_id().as_str());
        }
    });
    layer
}

/// Writes the fields of an event under their names in the schema.
struct Named<'a, 'b>(&'a mut FieldWriter<'b>);

impl Named<'_, '_> {
    fn write(&mut self, field: &Field, value: impl Serialize) {
        match field.name() {
            "message" => write(self.0, "message", value),
            name => write(self.0, &ecs_name(name), value),
        }
    }
}

/// Writes one field. A value that cannot be written is left out, and the line stays valid.
fn write(line: &mut FieldWriter<'_>, name: &str, value: impl Serialize) {
    let _ = line.write_field(name, value);
}

impl Visit for Named<'_, '_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, value);
    }

    /// Durations in microseconds, as the standard library counts them.
    fn record_u128(&mut self, field: &Field, value: u128) {
        match field.name() {
            DURATION_US => self.write(field, value.saturating_mul(1_000)),
            _ => self.write(field, value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, format_args!("{value:?}"));
    }
}
