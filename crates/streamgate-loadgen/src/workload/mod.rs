//! The kinds of load, one per file.

mod heartbeats;
mod live;
mod start_stop;
mod starts;

pub use heartbeats::{Batches, Heartbeats};
pub use live::{Audience, Live};
pub use start_stop::StartStop;
pub use starts::{Starts, Stops};

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::pace::Share;
use crate::population::Session;

/// The kind of load. Its doc comments are help texts of `streamgate bench --help`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Starts of new users only
    Starts,
    /// Starts, each followed by its stop
    #[default]
    StartStop,
    /// Heartbeats of --users × --sessions-per-user sessions, which are started first
    Heartbeats,
    /// The same through `POST /v1/heartbeats`; a call counts as its heartbeats
    Batch,
    /// A realistic audience: sessions start gradually, each player sends heartbeats at its own
    /// times, some leave and others join. Always an open loop
    Live,
}

/// Slots for sessions, dealt out to threads in turn.
#[derive(Debug, Clone, Copy)]
pub struct Slots {
    /// The thread's share.
    pub share: Share,
    /// The slots of each user.
    pub sessions_per_user: u64,
}

impl fmt::Display for Workload {
    /// The name on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().ok_or(fmt::Error)?;
        f.write_str(value.get_name())
    }
}

impl Slots {
    /// The session at a place of this share. A later generation is another session of the same
    /// user.
    #[must_use]
    pub fn session(self, place: u64, generation: u16) -> Session {
        let slot = self.share.global(place);
        Session {
            user: slot / self.sessions_per_user.max(1),
            number: slot | (u64::from(generation) << 48),
        }
    }
}
