//! What an audience does, as loads: one workload a file.

mod heartbeats;
mod live;
mod start_stop;
mod starts;

pub use heartbeats::{Batches, Heartbeats};
pub use live::{Audience, Live};
pub use start_stop::StartStop;
pub use starts::{Starts, Stops};

use serde::{Deserialize, Serialize};

use crate::pace::Share;
use crate::population::Session;

/// What is done in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// New sessions of ever new users.
    Starts,
    /// Each session is started, and stopped soon after.
    #[default]
    StartStop,
    /// Heartbeats of sessions that are live.
    Heartbeats,
    /// The same, many in one call.
    Batch,
    /// What a real audience does.
    Live,
}

/// Places for sessions, dealt out to threads in turn.
#[derive(Debug, Clone, Copy)]
pub struct Slots {
    /// Which part of them a thread has.
    pub share: Share,
    /// How many each user has.
    pub sessions_per_user: u64,
}

impl Workload {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starts => "starts",
            Self::StartStop => "start-stop",
            Self::Heartbeats => "heartbeats",
            Self::Batch => "batch",
            Self::Live => "live",
        }
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
