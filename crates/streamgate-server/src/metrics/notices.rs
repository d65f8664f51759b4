//! Notices between nodes, as the store counts them.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use streamgate_store::Notices;

use super::level;
use super::page::Page;

/// Metrics of notices; all 0 if the store has none.
pub(super) struct NoticeMetrics {
    published: Counter,
    received: Counter,
    dropped: Counter,
    untold: Counter,
    resubscribed: Counter,
    /// Those that are up, and those that are not.
    connections: [Gauge; 2],
    notices: OnceLock<Arc<dyn Notices>>,
}

impl NoticeMetrics {
    /// Nothing was told.
    pub(super) fn new(page: &mut Page) -> Self {
        Self {
            connections: page.gauges(
                "streamgate_notices_connections",
                "Connections to Redis on which notices of other nodes arrive (up), or should \
                 (down). Alarm if one is down for a minute",
                "state",
                ["up", "down"],
            ),
            published: page.counter(
                "streamgate_notices_published",
                "Commits of this node that were published to other nodes",
            ),
            received: page.counter(
                "streamgate_notices_received",
                "Notices of other nodes that arrived",
            ),
            dropped: page.counter(
                "streamgate_notices_dropped",
                "Notices of other nodes that were dropped because they came too fast; records are \
                 read instead",
            ),
            untold: page.counter(
                "streamgate_notices_untold",
                "Refused starts that other nodes were not told of: too many at once, or no server",
            ),
            resubscribed: page.counter(
                "streamgate_notices_resubscribed",
                "Channels of users and tenants that were subscribed to again after a loss; each \
                 has a record read",
            ),
            notices: OnceLock::new(),
        }
    }

    /// Reports these notices from here on.
    pub(super) fn watch(&self, notices: Arc<dyn Notices>) {
        // A second time changes nothing.
        let _ = self.notices.set(notices);
    }

    /// Takes over the counts of the store.
    pub(super) fn ask(&self) {
        let Some(notices) = self.notices.get() else {
            return;
        };
        let counts = notices.counts();
        for (counter, count) in [
            (&self.published, counts.published),
            (&self.received, counts.received),
            (&self.dropped, counts.dropped),
            (&self.untold, counts.untold),
            (&self.resubscribed, counts.resubscribed),
        ] {
            counter.inner().store(count, Ordering::Relaxed);
        }
        let [up, down] = &self.connections;
        up.set(level(counts.connections_up));
        down.set(level(counts.connections_down));
    }
}

impl fmt::Debug for NoticeMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoticeMetrics").finish_non_exhaustive()
    }
}
