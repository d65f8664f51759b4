//! Event streams: how many are open, what they were told, and how they ended.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::page::Page;

/// What a stream is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamKind {
    /// A session, whose player sends heartbeats.
    Session,
    /// A session, for which the stream is the heartbeat.
    Hold,
    /// A user.
    User,
    /// A tenant.
    Tenant,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// Its session has ended.
    Ended,
    /// The node stops, or the session is not known any more.
    Bye,
    /// Its credential is not valid any more.
    Credential,
    /// The client has gone, or was cut off because it does not read.
    Client,
}

/// Metrics of event streams.
#[derive(Debug, Clone)]
pub(crate) struct PushMetrics {
    streams: [Gauge; 4],
    ends: [Counter; 4],
    /// Events written, `bye` and `gap` among them.
    pub(crate) events: Counter,
    /// Events that readers missed because they were too slow.
    pub(crate) missed: Counter,
    /// Streams refused because of a bound.
    pub(crate) refused: Counter,
}

impl PushMetrics {
    /// Every count is zero.
    pub(super) fn new(page: &mut Page) -> Self {
        Self {
            streams: page.gauges(
                "streamgate_push_streams",
                "Open event streams: hold is one that is its session's heartbeat",
                "kind",
                ["session", "hold", "user", "tenant"],
            ),
            events: page.counter("streamgate_push_events", "Events written to event streams"),
            missed: page.counter(
                "streamgate_push_events_missed",
                "Events that an event stream was not told because its client reads too slowly",
            ),
            refused: page.counter(
                "streamgate_push_streams_refused",
                "Event streams refused because of a bound of [push]",
            ),
            ends: page.counters(
                "streamgate_push_streams_ended",
                "Event streams that ended: ended with their session, bye as the node stops, \
                 credential because theirs is not valid any more, client because that has gone or \
                 does not read",
                "reason",
                ["ended", "bye", "credential", "client"],
            ),
        }
    }

    /// Streams of this kind that are open.
    pub(crate) fn streams(&self, kind: StreamKind) -> &Gauge {
        &self.streams[kind as usize]
    }

    /// Streams that ended so.
    pub(crate) fn ends(&self, end: StreamEnd) -> &Counter {
        &self.ends[end as usize]
    }
}
