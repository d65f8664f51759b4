//! Metrics of the process, for Prometheus. No decision depends on them, and no label names a user.
//!
//! What is *not* here: a global registry. The binary makes one [`Metrics`] and passes it to each
//! part that counts.

mod http;
mod page;
mod sessions;
mod text;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use streamgate_core::{Event, UserKey};
use streamgate_engine::{Answer, EngineObserver};

use crate::telemetry::LineQueue;
use http::HttpDurations;
use page::Page;
use sessions::Sessions;

pub(crate) use http::HttpRoute;

use crate::wire::body_bytes::BodyMemory;

/// Bucket bounds for commits, in seconds: most of a commit is one fsync.
const COMMIT_BUCKETS_S: [f64; 12] = [
    0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0,
];

/// The metrics of the process. Make one and share it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    names: Vec<(String, &'static str)>,
    sessions: Sessions,
    users: Family<[(&'static str, &'static str); 0], Gauge>,
    http: HttpDurations,
    connections: Gauge,
    connections_refused: Counter,
    body_bytes: Gauge,
    bodies_refused: Counter,
    commit_duration: Histogram,
    commit_records: Histogram,
    commit_bytes: Counter,
    outcome_unknown: Counter,
    damaged_records: Counter,
    evicted_keys: Counter,
    store_full: Gauge,
    clock_skew: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Every count is zero.
    #[must_use]
    pub fn new() -> Self {
        Self::with_lines_dropped(Counter::default())
    }

    /// [`new`](Self::new), with the count of lines that this queue drops.
    #[must_use]
    pub fn with_log(queue: &LineQueue) -> Self {
        Self::with_lines_dropped(queue.dropped_counter())
    }

    fn with_lines_dropped(lines_dropped: Counter) -> Self {
        let mut page = of_process(lines_dropped);
        Self {
            sessions: Sessions::new(&mut page),
            users: page.add(
                "streamgate_users",
                "Users with a stored record, if the store can count them",
                Family::default(),
            ),
            http: HttpDurations::new(&mut page),
            connections: page.gauge("streamgate_http_connections", "Open connections"),
            connections_refused: page.counter(
                "streamgate_http_connections_refused",
                "Connections closed because their peer had http.max_connections_per_peer open",
            ),
            body_bytes: page.gauge(
                "streamgate_http_body_bytes",
                "Memory of request bodies being received in several frames",
            ),
            bodies_refused: page.counter(
                "streamgate_http_bodies_refused",
                "Requests refused because request bodies took all of http.bodies_max_bytes",
            ),
            commit_duration: page.add(
                "streamgate_commit_duration_seconds",
                "Time to write and sync one batch of the embedded store",
                Histogram::new(COMMIT_BUCKETS_S),
            ),
            commit_records: page.add(
                "streamgate_commit_batch_records",
                "Records in one batch of the embedded store",
                Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            ),
            commit_bytes: page.counter(
                "streamgate_commit_bytes",
                "Bytes that the embedded store has written to its log",
            ),
            outcome_unknown: page.counter(
                "streamgate_outcome_unknown",
                "Commits with an unknown outcome, after which the command was run again",
            ),
            damaged_records: page.counter(
                "streamgate_damaged_records",
                "Reads of stored records that cannot be decoded: alarm on any increase",
            ),
            evicted_keys: page.counter(
                "streamgate_store_evicted_keys",
                "Keys that Redis servers have evicted, as seen by this node (every node counts the \
                 same ones): alarm on any increase",
            ),
            store_full: page.gauge(
                "streamgate_store_full",
                "1 while the disk of the embedded store is full and starts are refused: alarm on 1",
            ),
            clock_skew: page.add(
                "streamgate_store_clock_skew_seconds",
                "Smallest possible skew of this node's clock against DynamoDB's, in seconds: \
                 positive if ahead, negative if behind, 0 if they may agree. Alarm above 2 and \
                 below -2",
                Gauge::default(),
            ),
            registry: page.registry,
            names: page.names,
        }
    }

    /// Sets the number of live sessions that a restart recovered; events change it from then on.
    pub fn set_live_sessions(&self, count: u64) {
        self.sessions.live.set(level(count));
    }

    /// Counts a batch that the embedded store has written and synced.
    pub fn observe_commit(&self, records: usize, bytes: usize, duration: Duration) {
        self.commit_duration.observe(duration.as_secs_f64());
        self.commit_records.observe(records as f64);
        self.commit_bytes.inc_by(bytes as u64);
    }

    /// Sets whether the disk of the embedded store is full.
    pub fn set_store_full(&self, is_full: bool) {
        self.store_full.set(i64::from(is_full));
    }

    /// Counts keys that servers of the store have evicted.
    pub fn observe_evicted(&self, keys: u64) {
        self.evicted_keys.inc_by(keys);
    }

    /// Sets by how many milliseconds, at least, the clock of this node is ahead of the store's.
    pub fn set_clock_skew(&self, ahead_ms: i64) {
        self.clock_skew.set(ahead_ms as f64 / 1_000.0);
    }

    /// All metrics in the Prometheus text format 0.0.4, which every scraper reads.
    #[must_use]
    pub fn render_text(&self) -> String {
        text::of_open_metrics(&self.render())
    }

    /// All metrics in the text format of OpenMetrics.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry)
            .expect("writing to a String does not fail");
        page
    }

    /// Sets the number of users with a record; without it the page has no such line.
    pub(crate) fn set_users(&self, count: u64) {
        self.users.get_or_create(&[]).set(level(count));
    }

    /// Sets the memory that bodies take, in bytes.
    pub(crate) fn set_body_bytes(&self, bytes: usize) {
        self.body_bytes.set(level(bytes));
    }

    /// Sets the number of sessions that this node admitted without the store and has not
    /// reconciled.
    pub(crate) fn set_degraded_sessions(&self, count: usize) {
        self.sessions.degraded.set(level(count));
    }

    /// The gauge of open connections.
    pub(crate) fn connections(&self) -> &Gauge {
        &self.connections
    }

    /// The count of connections closed because their peer had too many.
    pub(crate) fn connections_refused(&self) -> &Counter {
        &self.connections_refused
    }

    /// A budget of `max` bytes for bodies; bodies refused for lack of it are counted here.
    pub(crate) fn body_memory(&self, max: usize) -> BodyMemory {
        BodyMemory::new(max, self.bodies_refused.clone())
    }

    /// The durations of a route.
    pub(crate) fn http_route(&self, template: &str) -> HttpRoute {
        self.http.route(template)
    }
}

impl EngineObserver for Metrics {
    fn committed(&self, _user: &UserKey, events: &[Event]) {
        self.sessions.committed(events);
    }

    fn answered(&self, answer: Answer<'_>) {
        self.sessions.answered(answer);
    }

    fn reconciled(&self, holds_slot: bool) {
        self.sessions.reconciled(holds_slot);
    }

    fn outcome_unknown(&self) {
        self.outcome_unknown.inc();
    }

    fn damaged(&self, records: usize) {
        self.damaged_records.inc_by(records as u64);
    }
}

/// A count as the value of a gauge.
fn level(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// The page with what is true of any process: its version, and the lines that its log dropped.
fn of_process(lines_dropped: Counter) -> Page {
    let mut page = Page::default();
    page.add(
        "streamgate_build_info",
        "The version that runs; always 1",
        Family::<[(&str, &str); 1], Gauge>::default(),
    )
    .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
    .set(1);
    page.total(
        "streamgate_log_lines_dropped",
        "Log lines that were not written: the queue was full, or standard error failed",
        lines_dropped,
    );
    page
}

/// The name and the help text of each metric, in the order of the page.
#[must_use]
pub fn metric_names() -> Vec<(String, &'static str)> {
    Metrics::new().names
}
