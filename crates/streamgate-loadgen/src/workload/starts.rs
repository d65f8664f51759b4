//! Starts: new sessions of ever new users, or of so many.

use std::sync::Arc;

use super::{Left, Slots};
use crate::api::Api;
use crate::load::{Requests, Sent};

/// Starts one session after the other.
#[derive(Debug)]
pub struct Starts {
    api: Arc<Api>,
    slots: Slots,
    next: u64,
    end: u64,
}

impl Starts {
    /// Starts without an end.
    #[must_use]
    pub fn ever(api: Arc<Api>, slots: Slots) -> Self {
        Self {
            api,
            slots,
            next: 0,
            end: u64::MAX,
        }
    }

    /// Starts a share of `total` sessions, each once.
    #[must_use]
    pub fn fill(api: Arc<Api>, slots: Slots, total: u64) -> Self {
        let end = slots.share.count(total);
        Self {
            end,
            ..Self::ever(api, slots)
        }
    }

    /// All that were sent. Whether a start without an answer was admitted, nobody knows.
    #[must_use]
    pub fn left(self) -> Left {
        Box::new((0..self.next).map(move |place| self.slots.session(place, 0)))
    }
}

impl Requests for Starts {
    type Tag = ();

    fn kinds(&self) -> Vec<&'static str> {
        vec!["start"]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent<()>> {
        if self.next == self.end {
            return None;
        }
        self.api.start(self.slots.session(self.next, 0), out);
        self.next += 1;
        Some(Sent { kind: 0, tag: () })
    }
}
