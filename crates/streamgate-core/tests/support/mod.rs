//! What several test files need: short ways to write ids, times, metadata and calls.

pub(crate) mod golden_file;

use streamgate_core::admission::{
    Heartbeat, HeartbeatOutcome, ImportUser, SessionsQuery, SessionsView, Settle, Start,
    StartOutcome, Stop, StopNewest, StopOutcome, sessions_of,
};
use streamgate_core::ids::Name;
use streamgate_core::{
    Attributes, Command, Decision, EndReason, Ledger, Policy, Seconds, Session, SessionId,
    SessionMetadata, Timestamp, decide,
};

pub(crate) fn id(text: &str) -> SessionId {
    SessionId::new(text).expect("a valid session id")
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(crate) fn attributes(entries: &[(&str, &str)]) -> Attributes {
    let entries = entries.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    Attributes::new(entries.collect()).expect("valid attributes")
}

/// Metadata with every field.
pub(crate) fn all_metadata() -> SessionMetadata {
    SessionMetadata {
        device_id: Some(name("d-81")),
        device_name: Some(name("Televisão da sala")),
        device_class: Some(name("tv")),
        content_id: Some(name("episode:s01e02")),
        content_type: Some(name("episode")),
        region: Some(name("eu-west")),
        attributes: attributes(&[("app", "9.1"), ("empty", ""), ("país", "PT")]),
    }
}

/// A user, and the time; calls change both.
#[derive(Debug, Clone, Default)]
pub(crate) struct User {
    pub(crate) ledger: Ledger,
    pub(crate) policy: Policy,
    pub(crate) now_ms: u64,
}

impl User {
    /// A user who was never seen, at a time far from both ends.
    pub(crate) fn with_limit(limit: u32) -> Self {
        let policy = Policy {
            default_limit: limit,
            // Tests of eviction start one session right after the other.
            evict_min_age: Seconds(0),
            ..Policy::default()
        };
        Self {
            ledger: Ledger::default(),
            policy: policy.checked().expect("a limit within bounds"),
            now_ms: 1_700_000_000_000,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        at(self.now_ms)
    }

    pub(crate) fn lease_ms(&self) -> u64 {
        self.policy.lease.as_millis()
    }

    pub(crate) fn window_ms(&self) -> u64 {
        self.policy.revive_window.as_millis()
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    pub(crate) fn set_back(&mut self, ms: u64) {
        self.now_ms -= ms;
    }

    /// Runs a command now.
    pub(crate) fn run<C: Command>(&mut self, command: &C) -> Decision<C::Outcome>
    where
        C::Outcome: Clone,
    {
        let ledger = std::mem::take(&mut self.ledger);
        let decision = decide(ledger, &self.policy, command, self.now());
        self.ledger = decision.ledger.clone();
        decision
    }

    pub(crate) fn start(&mut self, text: &str) -> StartOutcome {
        self.run(&Start::new(id(text))).outcome
    }

    /// Starts a session that must be admitted.
    pub(crate) fn admitted(&mut self, text: &str) -> Session {
        match self.start(text) {
            StartOutcome::Admitted(admitted) => admitted.session,
            other => panic!("{text} was not admitted: {other:?}"),
        }
    }

    pub(crate) fn beat(&mut self, text: &str) -> HeartbeatOutcome {
        self.run(&Heartbeat { id: id(text) }).outcome
    }

    pub(crate) fn stop(&mut self, text: &str) -> StopOutcome {
        let (id, reason) = (id(text), EndReason::Stopped);
        self.run(&Stop { id, reason }).outcome
    }

    /// The first page of who is watching.
    pub(crate) fn list(&self) -> SessionsView {
        let page = SessionsQuery {
            after: None,
            size: 100,
        };
        sessions_of(&self.ledger, &self.policy, self.now(), &page)
    }

    pub(crate) fn settle(&mut self) {
        self.run(&Settle);
    }

    /// The sessions that hold a slot now.
    pub(crate) fn live(&self) -> Vec<String> {
        let live = self.ledger.live_at(self.now());
        live.map(|session| session.id.to_string()).collect()
    }
}

/// A stop of the session that is the newest now.
pub(crate) fn newest(user: &User) -> StopNewest {
    let expected = user.ledger.live_at(user.now()).last().cloned();
    StopNewest { expected }
}

/// An import of these sessions, for an hour.
pub(crate) fn import(sessions: &[&str]) -> ImportUser {
    ImportUser {
        sessions: sessions.iter().map(|text| id(text)).collect(),
        lease: Seconds(3_600),
        profile: Attributes::default(),
    }
}
