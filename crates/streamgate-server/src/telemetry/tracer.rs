//! Spans: the parts of a trace that this server records, and the port to their exporter.
//!
//! Whether a request is recorded is decided before anything is made for it: a request that is not
//! recorded costs a comparison. What is *not* here: the exporter, which is an optional crate.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::trace_context::TraceContext;

/// Decides which requests are recorded, and takes their spans.
pub trait Tracer: fmt::Debug + Send + Sync {
    /// Whether to record a request. `caller_records` is the flag of its `traceparent`, if it has a
    /// valid one. Called for every request.
    fn samples(&self, caller_records: Option<bool>) -> bool;

    /// Takes a span that has ended. Never waits.
    fn ended(&self, span: Span);

    /// Waits until all spans are sent or dropped, at most for `patience`; whether they are.
    fn flush(&self, patience: Duration) -> bool;
}

/// A span: what was done, when, and for whom in the trace. It never names a user or a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its trace, its id and its parent.
    pub trace: TraceContext,
    /// Method and route of a request; the operation of a store call.
    pub name: Cow<'static, str>,
    /// Who is on the other side.
    pub kind: SpanKind,
    /// The wall clock at its end, in nanoseconds since 1970.
    pub end_ns: u64,
    /// How long it took.
    pub duration: Duration,
    /// Attributes, by their names in the semantic conventions of OpenTelemetry.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// What failed, if it did.
    pub error: Option<String>,
}

/// Who is on the other side of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A caller of this server.
    Server,
    /// A server that this one calls.
    Client,
    /// Work within this process, which calls no other.
    Internal,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanValue {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Number(i64),
}

impl From<&'static str> for SpanValue {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}
