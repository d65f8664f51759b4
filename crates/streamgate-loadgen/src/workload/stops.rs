//! Stops: what is left of a run goes.

use std::fmt;
use std::sync::Arc;

use super::Left;
use crate::api::Api;
use crate::load::{Requests, Sent};

/// Stops one session after the other.
pub struct Stops {
    api: Arc<Api>,
    sessions: Left,
}

impl Stops {
    /// Stops these.
    #[must_use]
    pub fn of(api: Arc<Api>, sessions: Left) -> Self {
        Self { api, sessions }
    }

    /// How many were not reached.
    #[must_use]
    pub fn left(self) -> u64 {
        self.sessions.count() as u64
    }
}

impl Requests for Stops {
    type Tag = ();

    fn kinds(&self) -> Vec<&'static str> {
        vec!["stop"]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent<()>> {
        self.api.stop(self.sessions.next()?, out);
        Some(Sent { kind: 0, tag: () })
    }
}

impl fmt::Debug for Stops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stops").finish_non_exhaustive()
    }
}
