//! What is told of a tenant: numbered, and kept for a while so that a reader that was cut off goes
//! on where it stopped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_core::bounds::{TENANT_STREAM_KEPT_S, TENANT_STREAM_QUEUE_MAX};

use super::inbox::{Inbox, Said, Told};

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
    kept: VecDeque<Told>,
    /// Behind this number something is missing, nobody knows how much.
    torn: u64,
    pub(super) inboxes: Vec<Arc<Inbox>>,
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
            inboxes: Vec::new(),
            idle: None,
        }
    }

    /// Whether nobody has read it for so long that it goes.
    pub(super) fn is_abandoned(&self) -> bool {
        let idle = self.idle.as_ref();
        idle.is_some_and(|idle| idle.elapsed() > KEPT)
    }

    pub(super) fn tell(&mut self, said: Arc<Said>) {
        self.last += 1;
        let told = Told {
            number: self.last,
            said,
        };
        if self.kept.len() >= TENANT_STREAM_QUEUE_MAX {
            self.kept.pop_front();
        }
        for inbox in &self.inboxes {
            inbox.put(told.clone());
        }
        self.kept.push_back(told);
    }

    /// Events were missed, nobody knows how many: those that are kept do not lead up to the next.
    pub(super) fn miss(&mut self) {
        self.kept.clear();
        self.last += 1;
        self.torn = self.last;
        self.inboxes.iter().for_each(|inbox| inbox.put_gap());
    }

    /// Adds a reader, which is told what it missed. Returns the number that it goes on behind, and
    /// the number of events that are lost to it, if that is not 0.
    pub(super) fn add(&mut self, inbox: Arc<Inbox>, from: Resume) -> (u64, Option<Option<u64>>) {
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
        for told in self.kept.iter().filter(|told| told.number > behind) {
            inbox.put(told.clone());
        }
        self.inboxes.push(inbox);
        self.idle = None;
        (behind, missed)
    }

    pub(super) fn remove(&mut self, inbox: &Arc<Inbox>) {
        self.inboxes.retain(|other| !Arc::ptr_eq(other, inbox));
        if self.inboxes.is_empty() {
            self.idle = Some(Stopwatch::start());
        }
    }
}
