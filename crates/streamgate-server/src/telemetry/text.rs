//! Log lines as text: time, level, module, message, and the fields as `name=value`.

use std::fmt;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use super::queue::LineQueue;
use super::trace_context;

/// The layer that writes lines to this queue.
pub(super) fn layer<S>(queue: LineQueue, in_colour: bool) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_subscriber::fmt::layer()
        .with_ansi(in_colour)
        // These would be printed to standard error by the thread that logs.
        .log_internal_errors(false)
        .fmt_fields(WithTrace(DefaultFields::new()))
        .with_writer(queue)
}

/// The fields of an event, and behind them the trace of its request.
#[derive(Debug)]
struct WithTrace(DefaultFields);

impl<'writer> FormatFields<'writer> for WithTrace {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        if let Some(trace) = trace_context::current() {
            let (trace_id, span_id) = (trace.trace_id(), trace.span_id());
            write!(
                writer,
                " trace_id={} span_id={}",
                trace_id.as_str(),
                span_id.as_str()
            )?;
        }
        Ok(())
    }
}
