//! Counts of answers to players, and of beginnings and ends of sessions.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use streamgate_core::admission::{HeartbeatOutcome, StartOutcome, StopOutcome};
use streamgate_core::{EndReason, Event};
use streamgate_engine::Answer;

use super::page::Page;

/// Counts of sessions and of answers about them.
#[derive(Debug)]
pub(super) struct Sessions {
    starts: [Counter; 6],
    heartbeats: [Counter; 5],
    stops: [Counter; 3],
    endings: [Counter; EndReason::ALL.len()],
    reconciled: [Counter; 2],
    /// Sessions that hold a slot.
    pub(super) live: Gauge,
    /// Sessions admitted without the store and not reconciled yet.
    pub(super) degraded: Gauge,
}

/// Counts since the start of the process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    /// Sessions that were admitted, without the store or with it.
    pub(crate) starts: u64,
    /// Starts that were refused because of a limit.
    pub(crate) refusals: u64,
    /// Heartbeats that renewed a lease, those of batches among them.
    pub(crate) heartbeats: u64,
    /// Sessions ended, in the order of [`EndReason::ALL`].
    pub(crate) ended: [u64; EndReason::ALL.len()],
    /// Sessions that hold a slot now.
    pub(crate) live_sessions: u64,
}

impl Sessions {
    /// Every count is zero.
    pub(super) fn new(page: &mut Page) -> Self {
        Self {
            starts: page.counters(
                "streamgate_starts",
                "Starts by result: already_live is a repeated start, taken names the session of \
                 another device, degraded was admitted without the store, unknown_plan came with a \
                 token that names one",
                "result",
                [
                    "admitted",
                    "already_live",
                    "refused",
                    "taken",
                    "degraded",
                    "unknown_plan",
                ],
            ),
            heartbeats: page.counters(
                "streamgate_heartbeats",
                "Heartbeats by result, including those of batches",
                "result",
                ["renewed", "revived", "ended", "unknown", "degraded"],
            ),
            stops: page.counters(
                "streamgate_stops",
                "Stops by result",
                "result",
                ["stopped", "already_ended", "unknown"],
            ),
            endings: page.counters(
                "streamgate_endings",
                "Sessions ended, by reason; an expired session counts when its expiry is found",
                "reason",
                EndReason::ALL.map(EndReason::as_str),
            ),
            reconciled: page.counters(
                "streamgate_reconciled",
                "Sessions admitted without the store and reconciled since, by whether they hold a \
                 slot",
                "result",
                ["kept", "refused"],
            ),
            degraded: page.gauge(
                "streamgate_degraded_sessions",
                "Sessions that this node admitted without the store and has not reconciled yet",
            ),
            live: page.gauge(
                "streamgate_live_sessions",
                "Sessions that hold a slot, counted by their beginnings and ends on this node",
            ),
        }
    }

    /// The counts now.
    pub(super) fn totals(&self) -> Totals {
        let [admitted, _, refused, _, degraded, _] = &self.starts;
        let [renewed, revived, _, _, degraded_heartbeats] = &self.heartbeats;
        Totals {
            starts: admitted.get() + degraded.get(),
            refusals: refused.get(),
            heartbeats: renewed.get() + revived.get() + degraded_heartbeats.get(),
            ended: self.endings.each_ref().map(Counter::get),
            live_sessions: u64::try_from(self.live.get()).unwrap_or(0),
        }
    }

    /// Counts the answer to a player.
    pub(super) fn answered(&self, answer: Answer<'_>) {
        let counter = match answer {
            Answer::Start(StartOutcome::Admitted(_)) => &self.starts[0],
            Answer::Start(StartOutcome::AlreadyLive(_)) => &self.starts[1],
            Answer::Start(StartOutcome::Refused(_)) => &self.starts[2],
            Answer::Start(StartOutcome::Taken) => &self.starts[3],
            Answer::Start(StartOutcome::UnknownPlan(_)) => &self.starts[5],
            Answer::DegradedStart => &self.starts[4],
            Answer::Heartbeat(HeartbeatOutcome::Renewed { .. }) => &self.heartbeats[0],
            Answer::Heartbeat(HeartbeatOutcome::Revived { .. }) => &self.heartbeats[1],
            Answer::Heartbeat(HeartbeatOutcome::Ended(_)) => &self.heartbeats[2],
            Answer::Heartbeat(HeartbeatOutcome::Unknown) => &self.heartbeats[3],
            Answer::DegradedHeartbeat => &self.heartbeats[4],
            Answer::Stop(StopOutcome::Stopped) => &self.stops[0],
            Answer::Stop(StopOutcome::AlreadyEnded(_)) => &self.stops[1],
            Answer::Stop(StopOutcome::Unknown) => &self.stops[2],
        };
        counter.inc();
    }

    /// Counts a session that was admitted without the store and is reconciled.
    pub(super) fn reconciled(&self, holds_slot: bool) {
        self.reconciled[usize::from(!holds_slot)].inc();
    }

    /// Counts beginnings and ends. Each started or revived session ends exactly once, so the gauge
    /// returns to zero.
    pub(super) fn committed(&self, events: &[Event]) {
        for event in events {
            match event {
                Event::Started(_) | Event::Revived(_) => {
                    self.live.inc();
                }
                Event::Ended(end) => {
                    self.live.dec();
                    // `ALL` lists the reasons in the order of their declaration.
                    self.endings[end.reason as usize].inc();
                }
                Event::Renewed { .. }
                | Event::MadeFinal(_)
                | Event::UserSet { .. }
                | Event::UserErased
                | Event::Forgotten { .. } => {}
            }
        }
    }
}
