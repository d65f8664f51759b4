//! Observation of every request: its id, its trace, its duration in the metrics, its log line.
//!
//! Each route has its own layer, which knows the template of the path: no raw path can become a
//! label.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::Entry;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use streamgate_clock::{Stopwatch, wall_ns};

use tracing::{Level, field};

use crate::caller::client;
use crate::caller::trusted_proxies::TrustedProxies;
use crate::metrics::HttpRoute;
use crate::problem::ApiError;
use crate::routing::request_id::{self, X_REQUEST_ID};
use crate::telemetry::{
    self, Span, SpanKind, SpanValue, TRACEPARENT_NAME, TRACERESPONSE, TraceContext, Tracer,
};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A route as it is observed: its metrics, and the tracer of the process.
#[derive(Debug)]
pub(crate) struct Route {
    metrics: HttpRoute,
    /// `None` where no traces are exported.
    tracer: Option<Arc<dyn Tracer>>,
    /// The peers that are believed about the address of the client.
    trusted: Arc<TrustedProxies>,
}

impl Route {
    /// With these metrics, which know its template.
    pub(crate) fn new(
        metrics: HttpRoute,
        tracer: Option<Arc<dyn Tracer>>,
        trusted: Arc<TrustedProxies>,
    ) -> Self {
        Self {
            metrics,
            tracer,
            trusted,
        }
    }

    /// The trace of a request with this `traceparent`; `None` if it has none and is not recorded.
    fn trace(&self, traceparent: Option<&[u8]>) -> Option<TraceContext> {
        let Some(tracer) = &self.tracer else {
            return traceparent.map(|text| TraceContext::continued(text).0);
        };
        let Some(traceparent) = traceparent else {
            let begin = || TraceContext::begun().recorded(true);
            return tracer.samples(None).then(begin);
        };
        let (trace, caller_records) = TraceContext::continued(traceparent);
        Some(trace.recorded(tracer.samples(caller_records)))
    }
}

/// Observes the requests of one route: the layer around its methods.
pub(crate) async fn observe(
    State(route): State<Arc<Route>>,
    request: Request,
    next: Next,
) -> Response {
    let observation = Observation::begin(&route, request.method(), request.headers());
    let answer = match observation.trace {
        None => next.run(request).await,
        Some(trace) => telemetry::within(trace, next.run(request)).await,
    };
    observation.end(&route, answer)
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct Observation {
    watch: Stopwatch,
    id: HeaderValue,
    method: &'static str,
    /// The address of the client, if the line of the request will have it.
    client: Option<IpAddr>,
    /// Only if the caller sent a trace context, or the request is recorded.
    trace: Option<TraceContext>,
}

impl Observation {
    /// A request has arrived.
    pub(crate) fn begin(route: &Route, method: &Method, headers: &HeaderMap) -> Self {
        let watch = Stopwatch::start();
        let sent = Sent::of(headers);
        Self {
            watch,
            id: request_id::of(sent.request_id),
            method: label(method),
            client: tracing::enabled!(Level::DEBUG)
                .then(|| client::address(&route.trusted, headers))
                .flatten(),
            trace: route.trace(sent.traceparent),
        }
    }

    /// The trace of the request, if it has one: what answers it runs [within](telemetry::within)
    /// the trace.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// The request has this answer. Returns it with the request's id, and with `no-store` unless it
    /// has a `Cache-Control`.
    pub(crate) fn end(self, route: &Route, mut response: Response) -> Response {
        let duration = self.watch.elapsed();
        let metrics = &route.metrics;
        metrics.observe(self.method, response.status(), duration);
        telemetry::within_sync(self.trace, || {
            self.log(metrics, &response, duration);
            telemetry::audit::Entry::log_of(&mut response, &self.id);
        });
        if let Some(trace) = self.trace {
            self.end_trace(trace, route, &mut response, duration);
        }
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, self.id);
        // Answers about sessions are true only now; and some dialects start sessions by GET.
        if let Entry::Vacant(entry) = headers.entry(header::CACHE_CONTROL) {
            entry.insert(NO_STORE);
        }
        response
    }

    /// One line for each request, at level `debug` unless the server failed. It never holds a path,
    /// a query or a key, which would name users or give access; and an address at `debug` only.
    fn log(&self, route: &HttpRoute, response: &Response, duration: Duration) {
        let status = response.status();
        let client = self.client.filter(|_| !status.is_server_error());
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.id.to_str().unwrap_or_default(),
                    method = self.method,
                    route = route.template(),
                    status = status.as_u16(),
                    duration_us = duration.as_micros(),
                    peer = client.map(field::display),
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

    /// Names the trace in the answer, and exports the request if it is recorded.
    #[cold]
    fn end_trace(
        &self,
        trace: TraceContext,
        route: &Route,
        response: &mut Response,
        duration: Duration,
    ) {
        let header = trace.response_header();
        response.headers_mut().insert(TRACERESPONSE, header);
        if let Some(tracer) = route.tracer.as_ref().filter(|_| trace.is_recorded()) {
            tracer.ended(span(trace, &route.metrics, self.method, response, duration));
        }
    }
}

/// The span of a request, named by its route: no path, no query and no id.
fn span(
    trace: TraceContext,
    route: &HttpRoute,
    method: &'static str,
    response: &Response,
    duration: Duration,
) -> Span {
    let template = route.template().to_owned();
    let status = response.status();
    let mut attributes = vec![
        ("http.request.method", method.into()),
        ("http.route", SpanValue::Text(template.clone().into())),
        (
            "http.response.status_code",
            SpanValue::Number(status.as_u16().into()),
        ),
    ];
    let error = status.is_server_error().then(|| {
        let kind = status.as_str().to_owned();
        attributes.push(("error.type", SpanValue::Text(kind.into())));
        let cause = response.extensions().get::<ApiError>();
        let cause = cause.and_then(ApiError::cause).unwrap_or_default();
        cause.to_owned()
    });
    Span {
        trace,
        name: format!("{method} {template}").into(),
        kind: SpanKind::Server,
        end_ns: wall_ns(),
        duration,
        attributes,
        error,
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
                TRACEPARENT_NAME => {
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
