//! Sessions, and how they end.

use std::sync::Arc;

use crate::ids::SessionId;
use crate::metadata::SessionMetadata;
use crate::time::{Seconds, Timestamp};

/// One playback that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name, unique within the user.
    pub id: SessionId,
    /// When it started.
    pub started_at: Timestamp,
    /// When its player called last.
    pub last_seen_at: Timestamp,
    /// When the lease is over: at this very millisecond the slot is free.
    pub expires_at: Timestamp,
    /// How long each call of the player holds the slot.
    pub lease: Seconds,
    /// What plays; `None` where no fact was given. It never changes, so copies share it.
    pub metadata: Option<Arc<SessionMetadata>>,
}

/// Since when and until when a session holds its slot: what a heartbeat changes, without the
/// metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// When the session started.
    pub started_at: Timestamp,
    /// When its player called last.
    pub last_seen_at: Timestamp,
    /// When the lease is over.
    pub expires_at: Timestamp,
    /// How long each call of the player holds the slot.
    pub lease: Seconds,
}

/// The end of a session: as an event, and as the ledger remembers it for the revive window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The session's name.
    pub id: SessionId,
    /// When it ended; for an expired session, when its lease was over.
    pub ended_at: Timestamp,
    /// Why.
    pub reason: EndReason,
    /// The session that took the slot, for `Terminated` and `Evicted`; none where the session was
    /// above a lowered limit ([`crate::OverLimit::EndNewest`]).
    pub taken_by: Option<SessionId>,
    /// The session as it was, in a box because every event has room for an ending.
    ///
    /// In the ledger only for `Expired`: what a late heartbeat needs to start the session again. In
    /// an event for those who are told of a live session that ended; it is not stored there, so
    /// events that are read from a delta have none.
    pub session: Option<Box<Session>>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// Its player stopped it.
    Stopped,
    /// Its lease ran out.
    Expired,
    /// The policy took its slot for a newer session, or because the limit was lowered.
    Evicted,
    /// A viewer gave its slot to another start.
    Terminated,
    /// An operator ended it, or set the user's limit to 0.
    Revoked,
}

impl EndReason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 5] = [
        Self::Stopped,
        Self::Expired,
        Self::Evicted,
        Self::Terminated,
        Self::Revoked,
    ];

    /// The word for it in answers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Terminated => "terminated",
            Self::Revoked => "revoked",
        }
    }
}

impl Session {
    /// Since when and until when the session holds its slot.
    #[must_use]
    pub const fn held(&self) -> Held {
        Held {
            started_at: self.started_at,
            last_seen_at: self.last_seen_at,
            expires_at: self.expires_at,
            lease: self.lease,
        }
    }

    /// Whether the session holds a slot at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}
