//! Metrics of the process, for Prometheus. No decision depends on them, and no label names a user.
//!
//! What is *not* here: a global registry. The binary makes one [`Metrics`] and passes it to each
//! part that counts.

mod failed_users;
mod http;
mod latencies;
mod notices;
mod page;
mod push;
mod sessions;
mod store;
mod system;
mod text;
mod tls;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use streamgate_clock::{Clock, SystemClock};
use streamgate_core::{Event, UserKey};
use streamgate_engine::{Answer, EngineObserver};
use streamgate_store::Notices;
use streamgate_tokens::RemoteStatus;

use crate::telemetry::LineQueue;
use failed_users::FailedUsers;
use http::HttpDurations;
use notices::NoticeMetrics;
use page::{OptionalGauge, Page};
use sessions::Sessions;
use store::StoreMetrics;
use system::System;
use tls::TlsMetrics;
use tokens::TokenMetrics;

pub(crate) use http::HttpRoute;
pub(crate) use latencies::LatencyCounts;
pub(crate) use push::{PushMetrics, StreamEnd, StreamKind};
pub(crate) use sessions::Totals;
pub use system::{AskVolume, Volume};
pub(crate) use tls::HandshakeFailure;

use crate::wire::body_bytes::BodyMemory;

/// The metrics of the process. Make one and share it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    names: Vec<(String, &'static str)>,
    clock: Arc<dyn Clock>,
    system: System,
    sessions: Sessions,
    failed_users: FailedUsers,
    users: OptionalGauge,
    http: HttpDurations,
    connections: Gauge,
    connections_refused: Counter,
    body_bytes: Gauge,
    bodies_refused: Counter,
    tls: TlsMetrics,
    push: PushMetrics,
    store: StoreMetrics,
    notices: NoticeMetrics,
    spans_dropped: Counter,
    reports_dropped: Counter,
    tokens: TokenMetrics,
}

impl Metrics {
    /// Every count is zero. `clock` is this node's.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_lines_dropped(clock, Counter::default())
    }

    /// [`new`](Self::new), with the count of lines that this queue drops.
    #[must_use]
    pub fn with_log(clock: Arc<dyn Clock>, queue: &LineQueue) -> Self {
        Self::with_lines_dropped(clock, queue.dropped_counter())
    }

    fn with_lines_dropped(clock: Arc<dyn Clock>, lines_dropped: Counter) -> Self {
        let mut page = of_process(lines_dropped);
        Self {
            system: System::new(&mut page),
            sessions: Sessions::new(&mut page),
            failed_users: FailedUsers::new(&mut page, Arc::clone(&clock)),
            clock,
            users: page.optional_gauge(
                "streamgate_users",
                "Users with a stored record, if the store can count them",
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
            tls: TlsMetrics::new(&mut page),
            push: PushMetrics::new(&mut page),
            store: StoreMetrics::new(&mut page),
            notices: NoticeMetrics::new(&mut page),
            spans_dropped: page.counter(
                "streamgate_spans_dropped",
                "Spans of traces that were not exported: the queue was full, or the collector \
                 failed",
            ),
            reports_dropped: page.counter(
                "streamgate_error_reports_dropped",
                "Error reports that were not sent: the queue was full, or the receiver failed",
            ),
            tokens: TokenMetrics::new(&mut page),
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
        self.store.commit_duration.observe(duration.as_secs_f64());
        self.store.commit_records.observe(records as f64);
        self.store.commit_bytes.inc_by(bytes as u64);
    }

    /// Sets whether the disk of the embedded store is full.
    pub fn set_store_full(&self, is_full: bool) {
        self.store.full.set(i64::from(is_full));
    }

    /// Counts keys that servers of the store have evicted.
    pub fn observe_evicted(&self, keys: u64) {
        self.store.evicted_keys.inc_by(keys);
    }

    /// Sets by how many milliseconds, at least, the clock of this node is ahead of the store's.
    pub fn set_clock_skew(&self, ahead_ms: i64) {
        self.store.clock_skew.set(ahead_ms as f64 / 1_000.0);
    }

    /// Reports the volume of the data directory, of which `ask` tells, from here on.
    pub fn watch_volume(&self, ask: AskVolume) {
        self.system.watch_volume(ask);
    }

    /// Reports these notices between nodes from here on.
    pub fn watch_notices(&self, notices: Arc<dyn Notices>) {
        self.notices.watch(notices);
    }

    /// Counts a request that was refused because its address failed to authenticate too often.
    pub(crate) fn failed_auth_limited(&self) {
        self.tokens.failed_auth_limited.inc();
    }

    /// Sets whether the settings that were read last were refused.
    pub fn set_settings_refused(&self, are_refused: bool) {
        self.system.settings_refused.set(i64::from(are_refused));
    }

    /// Counts a fault of the program.
    pub fn observe_panic(&self) {
        self.system.panics.inc();
    }

    /// The count of spans that are not exported.
    #[must_use]
    pub fn spans_dropped(&self) -> Counter {
        self.spans_dropped.clone()
    }

    /// The count of error reports that are not sent.
    #[must_use]
    pub fn reports_dropped(&self) -> Counter {
        self.reports_dropped.clone()
    }

    /// All metrics in the Prometheus text format 0.0.4, which every scraper reads.
    #[must_use]
    pub fn render_text(&self) -> String {
        text::of_open_metrics(&self.render())
    }

    /// All metrics in the text format of OpenMetrics.
    #[must_use]
    pub fn render(&self) -> String {
        self.failed_users.show();
        self.notices.ask();
        self.system.set_disturbances(self.clock.disturbances());
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry)
            .expect("writing to a String does not fail");
        page
    }

    /// Sets the number of users with a record; without it the page has no such line.
    pub(crate) fn set_users(&self, count: u64) {
        self.users.get_or_create(&[]).set(level(count));
    }

    /// Asks the system about the process and the disk. May block.
    pub(crate) fn ask_system(&self) {
        self.system.ask();
    }

    /// Sets whether the store can be used.
    pub(crate) fn set_store_usable(&self, is_usable: bool) {
        self.store.usable.set(i64::from(is_usable));
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

    /// The metrics of TLS.
    pub(crate) fn tls(&self) -> &TlsMetrics {
        &self.tls
    }

    /// A budget of `max` bytes for bodies; bodies refused for lack of it are counted here.
    pub(crate) fn body_memory(&self, max: usize) -> BodyMemory {
        BodyMemory::new(max, self.bodies_refused.clone())
    }

    /// Counts a viewer token that was not accepted, by the place of its class.
    pub(crate) fn token_refused(&self, class: usize) {
        self.tokens.refused(class);
    }

    /// Shows how the fetches of keys go.
    pub(crate) fn set_issuers(&self, issuers: &[RemoteStatus]) {
        self.tokens.set_issuers(issuers);
    }

    /// The metrics of event streams.
    pub(crate) fn push(&self) -> &PushMetrics {
        &self.push
    }

    /// What was counted of sessions.
    pub(crate) fn totals(&self) -> Totals {
        self.sessions.totals()
    }

    /// How long session calls took.
    pub(crate) fn session_call_latencies(&self) -> LatencyCounts {
        self.http.session_calls().counts()
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
        self.store.outcome_unknown.inc();
    }

    fn damaged(&self, records: usize) {
        self.store.damaged_records.inc_by(records as u64);
    }

    fn failed(&self, user: &UserKey) {
        self.failed_users.add(user);
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
    Metrics::new(Arc::new(SystemClock::new())).names
}
