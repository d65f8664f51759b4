//! Event log of a tenant: numbered, with a replay buffer for `Last-Event-ID`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_core::bounds::{TENANT_STREAM_KEPT_S, TENANT_STREAM_QUEUE_MAX};

use super::queue::{Delivery, EventQueue, PushEvent};

/// How long events are kept after the last reader has gone.
const KEPT: Duration = Duration::from_secs(TENANT_STREAM_KEPT_S as u64);

/// Where a reader goes on, by the id of the last event that it has: `Last-Event-ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resume {
    /// It has none.
    Anew,
    /// Behind this number of this buffer.
    Behind {
        /// The buffer.
        buffer: u64,
        /// The number.
        number: u64,
    },
    /// Behind an event of which nothing is known.
    Lost,
}

/// The readers of a tenant, and the last events.
#[derive(Debug)]
pub(super) struct TenantTopic {
    /// Tells it from the buffers of other processes, and from earlier ones of this process.
    pub(super) buffer: u64,
    /// The number of the last event.
    pub(super) last: u64,
    kept: VecDeque<Delivery>,
    /// Behind this number an unknown number of events is missing.
    torn: u64,
    pub(super) queues: Vec<Arc<EventQueue>>,
    /// Since the last reader has gone.
    idle: Option<Stopwatch>,
}

impl TenantTopic {
    pub(super) fn new(buffer: u64) -> Self {
        Self {
            buffer,
            last: 0,
            kept: VecDeque::new(),
            torn: 0,
            queues: Vec::new(),
            idle: None,
        }
    }

    /// Whether it has had no reader for so long that it is dropped.
    pub(super) fn is_abandoned(&self) -> bool {
        let idle = self.idle.as_ref();
        idle.is_some_and(|idle| idle.elapsed() > KEPT)
    }

    pub(super) fn publish(&mut self, event: Arc<PushEvent>) {
        self.last += 1;
        let delivery = Delivery {
            number: self.last,
            event,
        };
        if self.kept.len() >= TENANT_STREAM_QUEUE_MAX {
            self.kept.pop_front();
        }
        for queue in &self.queues {
            queue.put(delivery.clone());
        }
        self.kept.push_back(delivery);
    }

    /// An unknown number of events is missing: those that are kept do not lead up to the next.
    pub(super) fn miss(&mut self) {
        self.kept.clear();
        self.last += 1;
        self.torn = self.last;
        self.queues.iter().for_each(|queue| queue.put_gap());
    }

    /// Adds a reader, and delivers what is kept. Returns the number that it goes on behind, and
    /// the number of events that are lost to it, if that is not 0.
    pub(super) fn add(
        &mut self,
        queue: Arc<EventQueue>,
        from: Resume,
    ) -> (u64, Option<Option<u64>>) {
        let first_kept = self.last + 1 - self.kept.len() as u64;
        let (behind, missed) = match from {
            Resume::Anew => (self.last, None),
            Resume::Behind { buffer, number }
                if buffer == self.buffer && (self.torn..=self.last).contains(&number) =>
            {
                let lost = first_kept.saturating_sub(number + 1);
                (number.max(first_kept - 1), (lost > 0).then_some(Some(lost)))
            }
            Resume::Behind { .. } | Resume::Lost => (self.last, Some(None)),
        };
        for delivery in self.kept.iter().filter(|delivery| delivery.number > behind) {
            queue.put(delivery.clone());
        }
        self.queues.push(queue);
        self.idle = None;
        (behind, missed)
    }

    pub(super) fn remove(&mut self, queue: &Arc<EventQueue>) {
        self.queues.retain(|other| !Arc::ptr_eq(other, queue));
        if self.queues.is_empty() {
            self.idle = Some(Stopwatch::start());
        }
    }
}
