//! What a caller can ask for and is told, in the words of the model.

use streamgate_core::EndReason;

use super::{Held, Over, Playback};

/// A session's name.
pub(crate) type Id = u8;

/// What a caller can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Start(Start),
    Beat(Id),
    /// Several heartbeats in one decision.
    Beats(Vec<Id>),
    Stop(Id),
    Revoke(Id),
    SetLimit(Option<u32>),
    SetPlan(Option<&'static str>),
    SetProfile(Option<&'static str>),
    Erase,
    Settle,
    StartIfKnown(Start),
    StartAndList(Start),
    /// A start that was admitted without the ledger.
    Adopt(Start),
    /// With the session that the caller takes for the newest.
    StopNewest(Option<Id>),
    Reset(Profile),
    Import(Import),
}

/// What becomes of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Kept,
    Cleared,
    Is(&'static str),
}

/// What an import brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) ids: Vec<Id>,
    pub(crate) lease_s: u32,
    pub(crate) profile: Option<&'static str>,
}

/// What a start says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Start {
    pub(crate) id: Id,
    pub(crate) metadata: Option<&'static str>,
    pub(crate) device: Option<&'static str>,
    pub(crate) lease_s: Option<u32>,
    pub(crate) replaces: Option<Id>,
    pub(crate) terminate: Vec<Id>,
    pub(crate) sets: Sets,
}

impl Start {
    /// Whether a session was started on another device.
    pub(super) fn is_on_another_device(&self, session: &Playback) -> bool {
        let (ours, theirs) = (self.device, session.device.as_deref());
        ours.is_some() && theirs.is_some() && ours != theirs
    }
}

/// What a start sets about the user: each is left alone, cleared or set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sets {
    pub(crate) plan: Option<Option<&'static str>>,
    pub(crate) limit: Option<Option<u32>>,
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Admitted {
        session: Playback,
        limit: u32,
        active: u32,
        evicted: Vec<Id>,
    },
    AlreadyLive {
        session: Playback,
        limit: u32,
        active: u32,
    },
    Refused {
        limit: u32,
        active: u32,
        holders: Vec<Playback>,
        next_slot_at: Option<u64>,
    },
    /// The session of this name is another device's.
    Taken,
    Renewed {
        session: Held,
        limit: u32,
        active: u32,
    },
    Revived {
        session: Held,
        limit: u32,
        active: u32,
    },
    /// To each of several heartbeats.
    Each(Vec<Answer>),
    Ended(Over),
    Unknown,
    Stopped,
    Set {
        limit: u32,
        active: u32,
    },
    UnknownPlan,
    Erased {
        revoked: u32,
        was_known: bool,
    },
    Settled,
    NotKnown,
    /// The answer to a start, and who is watching after it.
    Listed {
        start: Box<Answer>,
        live: Vec<Id>,
    },
    NewestStopped {
        active: u32,
    },
    NewestIs {
        newest: Playback,
        was_stopped: bool,
    },
    NoneLive {
        is_known: bool,
        was_stopped: bool,
    },
    Imported {
        sessions: Vec<Imported>,
        has_profile: bool,
        limit: u32,
        active: u32,
    },
}

/// What became of a session of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Imported {
    Started,
    AlreadyLive,
    Over(EndReason),
    NoSlot,
}

impl Call {
    /// What the call asks to start, where it is one that starts a session.
    pub(crate) const fn start(&self) -> Option<&Start> {
        match self {
            Self::Start(start) | Self::StartIfKnown(start) | Self::StartAndList(start) => {
                Some(start)
            }
            _ => None,
        }
    }
}

impl Answer {
    /// The answer to the call itself, without the list that came with it.
    pub(crate) fn alone(&self) -> &Self {
        match self {
            Self::Listed { start, .. } => start,
            other => other,
        }
    }
}
