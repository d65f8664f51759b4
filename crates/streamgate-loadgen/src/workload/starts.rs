//! Starts only and stops only: for the ramp and the cleanup, and as loads.

use std::sync::Arc;

use super::Slots;
use crate::api::Api;
use crate::load::{Left, Load, Sent};

/// Starts one session after the other.
#[derive(Debug)]
pub struct Starts {
    api: Arc<Api>,
    slots: Slots,
    next: u64,
    end: u64,
}

/// Stops one session after the other.
pub struct Stops {
    api: Arc<Api>,
    sessions: Left,
}

impl Starts {
    /// Starts sessions of new users without end.
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
}

impl Load for Starts {
    fn kinds(&self) -> &'static [&'static str] {
        &["start"]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent> {
        if self.next == self.end {
            return None;
        }
        let session = self.slots.session(self.next, 0);
        self.api.start(session, out);
        self.next += 1;
        Some(Sent::of(0, session))
    }

    /// All sessions that were started: one without an answer may have been admitted.
    fn left(self: Box<Self>) -> Left {
        Box::new((0..self.next).map(move |place| self.slots.session(place, 0)))
    }
}

impl Stops {
    /// Stops these sessions.
    #[must_use]
    pub fn of(api: Arc<Api>, sessions: Left) -> Self {
        Self { api, sessions }
    }
}

impl Load for Stops {
    fn kinds(&self) -> &'static [&'static str] {
        &["stop"]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent> {
        let session = self.sessions.next()?;
        self.api.stop(session, out);
        Some(Sent::of(0, session))
    }

    fn left(self: Box<Self>) -> Left {
        self.sessions
    }
}
