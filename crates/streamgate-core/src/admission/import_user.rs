//! Taking over a user from another system.

use crate::admission::start::renew;
use crate::admission::{Command, Draft, Start, StartOutcome};
use crate::bounds::LIVE_MAX;
use crate::event::Event;
use crate::ids::SessionId;
use crate::metadata::Attributes;
use crate::session::EndReason;
use crate::time::Seconds;

/// Start the sessions that a user had elsewhere, as far as slots are free, in this order. No live
/// session gives way, whatever the policy says, unless the limit is 0; and none that is remembered
/// to have ended here is started again, so that an import is safe to repeat within the revive
/// window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportUser {
    /// The sessions, at most [`LIVE_MAX`], each once.
    pub sessions: Vec<SessionId>,
    /// How long each holds its slot.
    pub lease: Seconds,
    /// The profile of a user that has none here; empty to leave it so.
    pub profile: Attributes,
}

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedUser {
    /// What became of each session, in the order in which they were asked for.
    pub sessions: Vec<ImportedSession>,
    /// Whether the user has the profile that was brought; true if none was.
    pub has_profile: bool,
    /// The user's limit.
    pub limit: u32,
    /// The number of slots taken.
    pub active: u32,
}

/// What became of a session of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImportedSession {
    /// It holds a slot now.
    Started,
    /// It held one already; its lease was renewed.
    AlreadyLive,
    /// It has ended here, and stays so: before the import, or by it where the user's limit is 0.
    Ended(EndReason),
    /// Every slot is taken.
    NoSlot,
}

impl ImportUser {
    fn import(&self, draft: &mut Draft<'_>, id: &SessionId) -> ImportedSession {
        if let Some(ending) = draft.ledger().ending_of(id) {
            return ImportedSession::Ended(ending.reason);
        }
        // Both are asked here and not left to the start, which might end sessions.
        if let Some(place) = draft.ledger().place_of(id) {
            if draft.limit().limit == 0 {
                draft.end_all();
                return ImportedSession::Ended(EndReason::Revoked);
            }
            renew(draft, place);
            return ImportedSession::AlreadyLive;
        }
        if !draft.has_slot_for(None) {
            return ImportedSession::NoSlot;
        }
        let start = Start {
            lease: Some(self.lease),
            ..Start::new(id.clone())
        };
        match start.decide(draft) {
            StartOutcome::Admitted(_) => ImportedSession::Started,
            StartOutcome::AlreadyLive(_) | StartOutcome::Taken => ImportedSession::AlreadyLive,
            StartOutcome::Refused(_) | StartOutcome::UnknownPlan(_) => ImportedSession::NoSlot,
        }
    }
}

impl Command for ImportUser {
    type Outcome = ImportedUser;

    fn decide(&self, draft: &mut Draft<'_>) -> ImportedUser {
        assert!(
            self.sessions.len() <= LIVE_MAX,
            "the boundary bounds imports"
        );
        if draft.ledger().profile.is_empty() && !self.profile.is_empty() {
            let ledger = draft.ledger();
            draft.record(Event::UserSet {
                limit: ledger.limit,
                plan: ledger.plan.clone(),
                profile: self.profile.clone(),
            });
        }
        let mut sessions = Vec::with_capacity(self.sessions.len());
        for id in &self.sessions {
            sessions.push(self.import(draft, id));
        }
        ImportedUser {
            sessions,
            has_profile: self.profile.is_empty() || draft.ledger().profile == self.profile,
            limit: draft.limit().limit,
            active: draft.active(),
        }
    }

    /// Every session that was started took a slot, whatever ended it since, and the profile is
    /// there.
    fn confirms(first: &ImportedUser, second: &ImportedUser) -> bool {
        if first.has_profile && !second.has_profile {
            return false;
        }
        let was_started = |first: &ImportedSession| *first == ImportedSession::Started;
        let sessions = first.sessions.iter().zip(&second.sessions);
        sessions
            .filter(|(first, _)| was_started(first))
            .all(|(_, second)| *second != ImportedSession::NoSlot)
    }
}
