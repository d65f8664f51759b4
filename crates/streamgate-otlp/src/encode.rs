//! Spans as OTLP messages.

use streamgate_server::telemetry::{Span, SpanKind, SpanValue};

use crate::messages::{
    self, AnyValue, ExportTraceServiceRequest, InstrumentationScope, KIND_CLIENT, KIND_INTERNAL,
    KIND_SERVER, KeyValue, Resource, ResourceSpans, STATUS_ERROR, Scalar, ScopeSpans, Status,
};

/// One request to the collector: these spans, from this process.
pub(crate) fn request(spans: &[Span]) -> ExportTraceServiceRequest {
    let version = env!("CARGO_PKG_VERSION");
    let resource = Resource {
        attributes: vec![
            attribute("service.name", "streamgate".into()),
            attribute("service.version", version.into()),
        ],
    };
    let scope = InstrumentationScope {
        name: "streamgate".to_owned(),
        version: version.to_owned(),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans: spans.iter().map(encoded).collect(),
            }],
        }],
    }
}

fn encoded(span: &Span) -> messages::Span {
    let duration_ns = u64::try_from(span.duration.as_nanos()).unwrap_or(u64::MAX);
    let parent = span.trace.parent_id_bytes();
    let attributes = span.attributes.iter();
    messages::Span {
        trace_id: span.trace.trace_id_bytes().to_vec(),
        span_id: span.trace.span_id_bytes().to_vec(),
        parent_span_id: parent.map(|id| id.to_vec()).unwrap_or_default(),
        name: span.name.clone().into_owned(),
        kind: match span.kind {
            SpanKind::Server => KIND_SERVER,
            SpanKind::Client => KIND_CLIENT,
            SpanKind::Internal => KIND_INTERNAL,
        },
        start_time_unix_nano: span.end_ns.saturating_sub(duration_ns),
        end_time_unix_nano: span.end_ns,
        attributes: attributes
            .map(|(name, value)| attribute(name, value.clone()))
            .collect(),
        status: span.error.as_ref().map(|error| Status {
            message: error.clone(),
            code: STATUS_ERROR,
        }),
    }
}

fn attribute(name: &str, value: SpanValue) -> KeyValue {
    let value = match value {
        SpanValue::Text(text) => Scalar::Text(text.into_owned()),
        SpanValue::Number(number) => Scalar::Number(number),
    };
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}
