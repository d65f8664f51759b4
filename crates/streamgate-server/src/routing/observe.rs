//! Observation of every request: its id, its trace, its duration in the metrics, its line in the log.
//!
//! Each route has its own layer, which knows the template of the path: no raw path can become a
//! label.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::Entry;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use streamgate_clock::Stopwatch;

use crate::metrics::HttpRoute;
use crate::problem::ApiError;
use crate::routing::request_id::{self, X_REQUEST_ID};
use crate::telemetry::trace_context::{self, TRACERESPONSE, TraceContext};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Observes the requests of one route: the layer around its methods.
pub(crate) async fn observe(
    State(route): State<Arc<HttpRoute>>,
    request: Request,
    next: Next,
) -> Response {
    let observation = Observation::begin(request.method(), request.headers());
    let answer = match observation.trace {
        None => next.run(request).await,
        Some(trace) => trace_context::within(trace, next.run(request)).await,
    };
    observation.end(&route, answer)
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct Observation {
    watch: Stopwatch,
    id: HeaderValue,
    method: &'static str,
    /// Only if the caller sent a trace context.
    trace: Option<TraceContext>,
}

impl Observation {
    /// A request has arrived.
    pub(crate) fn begin(method: &Method, headers: &HeaderMap) -> Self {
        let watch = Stopwatch::start();
        let sent = Sent::of(headers);
        Self {
            watch,
            id: request_id::of(sent.request_id),
            method: label(method),
            trace: sent.traceparent.map(TraceContext::continued),
        }
    }

    /// The trace of the request, if its caller sent one: what answers it runs
    /// [within](trace_context::within) the trace.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// The request has this answer. Returns it with the request's id, and with `no-store` unless it
    /// has a `Cache-Control`.
    pub(crate) fn end(self, route: &HttpRoute, mut response: Response) -> Response {
        let duration = self.watch.elapsed();
        route.observe(self.method, response.status(), duration);
        trace_context::within_sync(self.trace, || {
            log(route, self.method, &self.id, &response, duration);
        });
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, self.id);
        if let Some(trace) = self.trace {
            headers.insert(TRACERESPONSE, trace.response_header());
        }
        // Answers about sessions are true only now; and some dialects start sessions by GET.
        if let Entry::Vacant(entry) = headers.entry(header::CACHE_CONTROL) {
            entry.insert(NO_STORE);
        }
        response
    }
}

/// The headers of a request that say what it belongs to. Found in one pass: requests have few
/// headers, and most have neither of these.
#[derive(Default)]
struct Sent<'a> {
    request_id: Option<&'a HeaderValue>,
    traceparent: Option<&'a [u8]>,
}

impl<'a> Sent<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut sent = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                request_id::NAME => {
                    sent.request_id.get_or_insert(value);
                }
                trace_context::NAME => {
                    // Two of them name no trace.
                    let traceparent = sent.traceparent.map_or(value.as_bytes(), |_| &[]);
                    sent.traceparent = Some(traceparent);
                }
                _ => {}
            }
        }
        sent
    }
}

/// One line for each request, at level `debug` unless the server failed. It never holds a path, a
/// query or a key, which would name users or give access.
fn log(
    route: &HttpRoute,
    method: &'static str,
    id: &HeaderValue,
    response: &Response,
    duration: Duration,
) {
    let status = response.status();
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request_id = id.to_str().unwrap_or_default(),
                method,
                route = route.template(),
                status = status.as_u16(),
                duration_us = duration.as_micros(),
                error = response
                    .extensions()
                    .get::<ApiError>()
                    .and_then(ApiError::cause),
                "request"
            )
        };
    }
    match status {
        StatusCode::SERVICE_UNAVAILABLE => line!(warn),
        status if status.is_server_error() => line!(error),
        _ => line!(debug),
    }
}

/// The method as a label: one of a few words, so that callers cannot invent labels.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
