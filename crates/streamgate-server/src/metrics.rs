//! What the process counts, for Prometheus. Nothing decides by it, and no label names a user.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};
use streamgate_core::admission::{HeartbeatOutcome, StartOutcome, StopOutcome};
use streamgate_core::{EndReason, Event};
use streamgate_engine::{Answer, Observer};

/// Bounds of the buckets for durations of requests, in seconds: from what a heartbeat takes inside
/// the server to what a client gives up after.
const REQUEST_BUCKETS_S: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25,
    0.5, 1.0, 5.0,
];

/// The same for commits, whose most part is one fsync.
const COMMIT_BUCKETS_S: [f64; 12] = [
    0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0,
];

type HttpDurations = Family<HttpLabels, Histogram, fn() -> Histogram>;

/// What the process counts. One for all; share it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    names: Vec<(String, &'static str)>,
    starts: [Counter; 3],
    heartbeats: [Counter; 4],
    stops: [Counter; 3],
    endings: [Counter; EndReason::ALL.len()],
    live_sessions: Gauge,
    users: Family<[(&'static str, &'static str); 0], Gauge>,
    http: HttpDurations,
    connections: Gauge,
    commit_duration: Histogram,
    commit_records: Histogram,
    commit_bytes: Counter,
    outcome_unknown: Counter,
}

/// The durations of one route's requests.
#[derive(Debug)]
pub(crate) struct HttpRoute {
    route: Template,
    durations: HttpDurations,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    method: &'static str,
    route: Template,
    status: u16,
}

/// The template of a route, as a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Template(Arc<str>);

impl EncodeLabelValue for Template {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        (&*self.0).encode(encoder)
    }
}

impl HttpRoute {
    pub(crate) fn template(&self) -> &str {
        &self.route.0
    }

    pub(crate) fn observe(&self, method: &'static str, status: StatusCode, duration: Duration) {
        let labels = HttpLabels {
            method,
            route: self.route.clone(),
            status: status.as_u16(),
        };
        self.durations
            .get_or_create(&labels)
            .observe(duration.as_secs_f64());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut page = Page::default();
        let build = page.add(
            "streamgate_build_info",
            "",
            "The version that runs; always 1",
            Family::<[(&str, &str); 1], Gauge>::default(),
        );
        build
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
            .set(1);
        Self {
            starts: page.counters(
                "streamgate_starts",
                "Starts answered, by result; a repeated start is already_live",
                ["admitted", "already_live", "refused"].map(|value| ("result", value)),
            ),
            heartbeats: page.counters(
                "streamgate_heartbeats",
                "Heartbeats answered, by result, those of batches included",
                ["renewed", "revived", "ended", "unknown"].map(|value| ("result", value)),
            ),
            stops: page.counters(
                "streamgate_stops",
                "Stops answered, by result",
                ["stopped", "already_ended", "unknown"].map(|value| ("result", value)),
            ),
            endings: page.counters(
                "streamgate_endings",
                "Sessions ended, by reason; expired ones are counted when they are found",
                EndReason::ALL.map(|reason| ("reason", reason.as_str())),
            ),
            live_sessions: page.add(
                "streamgate_live_sessions",
                "",
                "Sessions that hold a slot, counted by their beginnings and ends on this node",
                Gauge::default(),
            ),
            users: page.add(
                "streamgate_users",
                "",
                "Users of whom something is stored, where the store knows",
                Family::default(),
            ),
            http: page.add(
                "streamgate_http_request_duration_seconds",
                "",
                "From a request's head to its answer, by method, route and status",
                Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS_S)),
            ),
            connections: page.add(
                "streamgate_http_connections",
                "",
                "Connections that are open",
                Gauge::default(),
            ),
            commit_duration: page.add(
                "streamgate_commit_duration_seconds",
                "",
                "Time to write and sync one batch of the embedded store",
                Histogram::new(COMMIT_BUCKETS_S),
            ),
            commit_records: page.add(
                "streamgate_commit_batch_records",
                "",
                "Records in one batch of the embedded store",
                Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            ),
            commit_bytes: page.add(
                "streamgate_commit_bytes",
                "_total",
                "Bytes that the embedded store has written to its log",
                Counter::default(),
            ),
            outcome_unknown: page.add(
                "streamgate_outcome_unknown",
                "_total",
                "Commits whose outcome was unknown, so that the command was run again",
                Counter::default(),
            ),
            registry: page.registry,
            names: page.names,
        }
    }

    /// How many sessions a restart found alive; later ones are counted by their events.
    pub fn set_live_sessions(&self, count: u64) {
        self.live_sessions
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The embedded store has written and synced a batch.
    pub fn observe_commit(&self, records: usize, bytes: usize, duration: Duration) {
        self.commit_duration.observe(duration.as_secs_f64());
        self.commit_records
            .observe(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
        self.commit_bytes
            .inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Everything, in the text format of OpenMetrics, which Prometheus reads.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry)
            .expect("writing to a String does not fail");
        page
    }

    /// How many users have a record; left out of the page until it is known.
    pub(crate) fn set_users(&self, count: u64) {
        self.users
            .get_or_create(&[])
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The gauge of open connections.
    pub(crate) fn connections(&self) -> &Gauge {
        &self.connections
    }

    /// What is counted of a route.
    pub(crate) fn http_route(&self, template: &str) -> HttpRoute {
        HttpRoute {
            route: Template(template.into()),
            durations: self.http.clone(),
        }
    }
}

impl Observer for Metrics {
    fn committed(&self, events: &[Event]) {
        for event in events {
            match event {
                Event::Started(_) | Event::Revived(_) => {
                    self.live_sessions.inc();
                }
                Event::Ended { reason, .. } => {
                    self.live_sessions.dec();
                    self.endings[*reason as usize].inc();
                }
                Event::Renewed { .. }
                | Event::UserSet { .. }
                | Event::UserErased
                | Event::Forgotten { .. } => {}
            }
        }
    }

    fn answered(&self, answer: Answer<'_>) {
        let counter = match answer {
            Answer::Start(StartOutcome::Admitted(_)) => &self.starts[0],
            Answer::Start(StartOutcome::AlreadyLive(_)) => &self.starts[1],
            Answer::Start(StartOutcome::Refused(_)) => &self.starts[2],
            Answer::Heartbeat(HeartbeatOutcome::Renewed { .. }) => &self.heartbeats[0],
            Answer::Heartbeat(HeartbeatOutcome::Revived { .. }) => &self.heartbeats[1],
            Answer::Heartbeat(HeartbeatOutcome::Ended(_)) => &self.heartbeats[2],
            Answer::Heartbeat(HeartbeatOutcome::Unknown) => &self.heartbeats[3],
            Answer::Stop(StopOutcome::Stopped) => &self.stops[0],
            Answer::Stop(StopOutcome::AlreadyEnded(_)) => &self.stops[1],
            Answer::Stop(StopOutcome::Unknown) => &self.stops[2],
        };
        counter.inc();
    }

    fn outcome_unknown(&self) {
        self.outcome_unknown.inc();
    }
}

/// Every metric's name and what it means, in the order of the page.
#[must_use]
pub fn metric_names() -> Vec<(String, &'static str)> {
    Metrics::new().names
}

/// The page of metrics while it is being made up.
#[derive(Default)]
struct Page {
    registry: Registry,
    names: Vec<(String, &'static str)>,
}

impl Page {
    /// Adds a metric; `suffix` is what the text format appends to the names of its kind.
    fn add<M: Metric + Clone>(
        &mut self,
        name: &'static str,
        suffix: &str,
        help: &'static str,
        metric: M,
    ) -> M {
        self.names.push((format!("{name}{suffix}"), help));
        self.registry.register(name, help, metric.clone());
        metric
    }

    /// Adds a family of counters, one for each value of its label, all of them there from the
    /// start: a rate over a counter that appears with its first event misses that event.
    fn counters<const N: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: [(&'static str, &'static str); N],
    ) -> [Counter; N] {
        let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
        self.add(name, "_total", help, family.clone());
        labels.map(|label| family.get_or_create_owned(&[label]))
    }
}
