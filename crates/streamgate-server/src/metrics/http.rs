//! How long requests take, by route.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::latencies::Latencies;
use super::page::Page;

/// Bucket bounds, in seconds: from the time of a heartbeat inside the server to the timeout of a
/// client.
const BUCKETS_S: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25,
    0.5, 1.0, 5.0,
];

/// The templates of session calls: start, stop, heartbeat.
const SESSION_CALLS: [&str; 4] = [
    "/v1/users/{user_id}/sessions",
    "/v1/users/{user_id}/sessions/{session_id}",
    "/v1/users/{user_id}/sessions/{session_id}/heartbeat",
    "/v1/users/{user_id}/sessions/{session_id}/stop",
];

/// The durations of all requests.
#[derive(Debug, Clone)]
pub(super) struct HttpDurations {
    family: Family<Labels, Histogram, fn() -> Histogram>,
    /// Those of session calls again, in finer buckets.
    session_calls: Arc<Latencies>,
}

/// The durations of one route's requests.
#[derive(Debug)]
pub(crate) struct HttpRoute {
    route: Arc<String>,
    durations: HttpDurations,
    /// Whether calls that change something are session calls.
    has_session_calls: bool,
    /// The first few pairs of method and status, found without hashing labels.
    usual: [OnceLock<Usual>; USUAL],
}

/// The durations of requests with this method and status.
#[derive(Debug)]
struct Usual {
    method: &'static str,
    status: StatusCode,
    durations: Histogram,
}

/// Pairs of method and status that a route usually has.
const USUAL: usize = 6;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    /// The template of the route.
    route: Arc<String>,
    status: u16,
}

impl HttpDurations {
    /// No measurement.
    pub(super) fn new(page: &mut Page) -> Self {
        Self {
            family: page.add(
                "streamgate_http_request_duration_seconds",
                "Time from the head of a request to its response, by method, route and status",
                Family::new_with_constructor(|| Histogram::new(BUCKETS_S)),
            ),
            session_calls: Arc::default(),
        }
    }

    /// The durations of session calls.
    pub(super) fn session_calls(&self) -> &Latencies {
        &self.session_calls
    }

    /// The durations of one route.
    pub(super) fn route(&self, template: &str) -> HttpRoute {
        HttpRoute {
            route: Arc::new(template.to_owned()),
            durations: self.clone(),
            has_session_calls: SESSION_CALLS.contains(&template),
            usual: Default::default(),
        }
    }
}

impl HttpRoute {
    /// The path, with names in braces for parameters.
    pub(crate) fn template(&self) -> &str {
        &self.route
    }

    /// Counts one request. The values of `method` and `status` must be bounded.
    pub(crate) fn observe(&self, method: &'static str, status: StatusCode, duration: Duration) {
        if self.has_session_calls && matches!(method, "POST" | "PUT" | "DELETE") {
            self.durations.session_calls.observe(duration);
        }
        let seconds = duration.as_secs_f64();
        for place in &self.usual {
            let usual = place.get_or_init(|| Usual {
                method,
                status,
                durations: self.histogram(method, status),
            });
            if usual.status == status && usual.method == method {
                return usual.durations.observe(seconds);
            }
        }
        self.histogram(method, status).observe(seconds);
    }

    fn histogram(&self, method: &'static str, status: StatusCode) -> Histogram {
        let labels = Labels {
            method,
            route: Arc::clone(&self.route),
            status: status.as_u16(),
        };
        self.durations.family.get_or_create(&labels).clone()
    }
}
