//! The decision: `decide(ledger, policy, command, now)` answers with the ledger after it, an
//! outcome, and the events between the two. One command a file.

pub mod adopt;
mod draft;
pub mod erase;
pub mod heartbeat;
pub mod heartbeats;
pub mod if_known;
pub mod import_user;
pub mod in_turn;
pub mod list;
pub mod reset_user;
pub mod set_user;
pub mod settle;
pub mod start;
pub mod stop;
pub mod stop_newest;
pub mod with_sessions;

pub use adopt::Adopt;
pub use draft::Draft;
pub use erase::{EraseUser, Erased};
pub use heartbeat::{Alive, Heartbeat, HeartbeatOutcome};
pub use heartbeats::Heartbeats;
pub use if_known::IfKnown;
pub use import_user::{ImportUser, ImportedSession, ImportedUser};
pub use in_turn::InTurn;
pub use list::{
    Place, SessionsQuery, SessionsView, UserView, Watching, sessions_of, user_and_sessions_of,
    user_of, watching_of,
};
pub use reset_user::ResetUser;
pub use set_user::{Edit, SetUser, SetUserOutcome};
pub use settle::{Settle, SettledView};
pub use start::{Admitted, Refused, Start, StartOutcome};
pub use stop::{Stop, StopOutcome};
pub use stop_newest::{StopNewest, StopNewestOutcome};
pub use with_sessions::WithSessions;

use crate::event::{Durability, Event};
use crate::ledger::Ledger;
use crate::policy::Policy;
use crate::time::Moment;

/// Something that may change a ledger.
pub trait Command {
    /// What the caller is told.
    type Outcome;

    /// Decides on a draft that has been settled: no session in it is past its lease.
    fn decide(&self, draft: &mut Draft<'_>) -> Self::Outcome;

    /// Whether an earlier run of the same command, whose outcome is unknown, was committed:
    /// `second` is the outcome of a later run that found nothing to do.
    ///
    /// "Nothing to do" can also mean that others came in between, so each command says for itself
    /// what the second outcome tells. Where it is told that the first run was done, the caller
    /// hears the first outcome, else the second.
    fn confirms(first: &Self::Outcome, second: &Self::Outcome) -> bool;
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<T> {
    /// The ledger after the decision.
    pub ledger: Ledger,
    /// What the caller is told.
    pub outcome: T,
    /// What changed, in order; empty where nothing did.
    pub events: Vec<Event>,
}

impl<T> Decision<T> {
    /// How much of the change must be on disk, and when; `None` where nothing changed.
    #[must_use]
    pub fn durability(&self) -> Option<Durability> {
        self.events.iter().map(Event::durability).max()
    }

    /// Whether the change adds to what is stored: a new session, or more about a user. A store that
    /// is full refuses such a change and takes all others: heartbeats, stops, and what ends
    /// sessions.
    #[must_use]
    pub fn needs_room(&self) -> bool {
        let (mut starts, mut sets, mut ends) = (false, false, false);
        for event in &self.events {
            starts |= matches!(event, Event::Started(_));
            sets |= matches!(event, Event::UserSet { .. });
            ends |= matches!(event, Event::Ended(_));
        }
        starts || sets && !ends
    }
}

/// Decides one command on one ledger at one time.
///
/// Before any command, sessions whose lease is over at `now` are ended; those that were live when a
/// stall began have one lease of grace behind it. The ledger of the decision is `ledger` with
/// `events` applied to it; no other change is possible.
///
/// No start ever leaves more live sessions than the user's limit.
pub fn decide<C: Command>(
    ledger: Ledger,
    policy: &Policy,
    command: &C,
    now: impl Into<Moment>,
) -> Decision<C::Outcome> {
    let mut draft = Draft::new(ledger, policy, now.into());
    settle::expire_and_prune(&mut draft);
    let outcome = command.decide(&mut draft);
    let (ledger, events) = draft.finish();
    Decision {
        ledger,
        outcome,
        events,
    }
}
