//! What a decision did to a ledger, one fact at a time.

use crate::ids::{Name, SessionId};
use crate::metadata::Attributes;
use crate::session::{EndReason, Ending, Session};
use crate::time::Timestamp;

/// One change of a ledger. A decision is the list of its events; a log of them rebuilds a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A session took a slot.
    Started(Session),
    /// An expired session took a slot again, because its player called after all.
    Revived(Session),
    /// A lease was renewed.
    Renewed {
        /// The session.
        id: SessionId,
        /// When its player called.
        last_seen_at: Timestamp,
        /// When the lease is over now.
        expires_at: Timestamp,
    },
    /// A session gave up its slot.
    Ended(Ending),
    /// An expired session was given up for good: no late heartbeat revives it, and it is remembered
    /// as ended for this reason. It held no slot.
    MadeFinal(Ending),
    /// The user's plan, limit and profile are now these.
    UserSet {
        /// The user's own limit.
        limit: Option<u32>,
        /// The user's plan.
        plan: Option<Name>,
        /// The user's profile.
        profile: Attributes,
    },
    /// The user's plan, limit, profile and history were erased; only `Revoked` endings stay.
    UserErased,
    /// Endings of this time and before it are remembered no longer.
    Forgotten {
        /// The time.
        before: Timestamp,
    },
}

/// How much of a change must be on disk, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// It may be lost in a crash: a renewed lease (recovery grants a fresh one), a forgotten
    /// ending.
    Memory,
    /// It is written, but no call waits for that: an expiry. If it is lost, the session comes back
    /// with a lease of grace and expires again.
    Relaxed,
    /// It is on disk before the call is answered.
    Durable,
}

impl Event {
    /// How much of this event must be on disk, and when.
    #[must_use]
    pub const fn durability(&self) -> Durability {
        match self {
            Self::Renewed { .. } | Self::Forgotten { .. } => Durability::Memory,
            Self::Ended(end) if matches!(end.reason, EndReason::Expired) => Durability::Relaxed,
            Self::Started(_)
            | Self::Revived(_)
            | Self::Ended(_)
            | Self::MadeFinal(_)
            | Self::UserSet { .. }
            | Self::UserErased => Durability::Durable,
        }
    }
}
