//! What the engine answers without its store, and what it remembers of it.

use std::sync::Arc;

use streamgate_clock::Clock;
use streamgate_core::admission::{Admitted, Adopt, HeartbeatOutcome, Start, StartOutcome};
use streamgate_core::{Session, SessionId, UserKey};

use super::{Answered, FailOpen};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::observer::Answer;

impl Engine {
    /// Answers starts and heartbeats also while the store cannot be used. `clock` is this node's.
    #[must_use]
    pub fn fail_open(mut self, clock: Arc<dyn Clock>) -> Self {
        self.fail_open = Some(FailOpen::new(clock));
        self
    }

    /// Whether players are answered without the store when it cannot be used.
    #[must_use]
    pub const fn fails_open(&self) -> bool {
        self.fail_open.is_some()
    }

    /// How many sessions this node admitted without the store that the store has not heard of.
    #[must_use]
    pub fn degraded_sessions(&self) -> usize {
        self.fail_open.as_ref().map_or(0, |open| open.memory.len())
    }

    /// The store's answer to a start. Where it has none, and the engine fails open, the session is
    /// admitted; `outcome` makes of that what the caller is told.
    pub(crate) fn or_admit<T>(
        &self,
        user: &UserKey,
        start: &Start,
        decided: Result<T, EngineError>,
        outcome: impl FnOnce(StartOutcome, Session) -> T,
    ) -> Result<Answered<T>, EngineError> {
        let Some(open) = &self.fail_open else {
            return decided.map(Answered::from);
        };
        let error = match decided {
            Ok(decided) => {
                open.memory.forget(user, &start.id);
                return Ok(decided.into());
            }
            Err(error) if error.is_retryable() => error,
            Err(error) => return Err(error),
        };
        let now = open.clock.now().time;
        open.warn(now, &error);
        let lease = start.lease.unwrap_or(self.policy().lease);
        let (session, is_new) = open.memory.admit(user, start, lease, now);
        let session = open.as_of_store(self.wall(), session);
        open.admitted.notify_one();
        self.observer.answered(Answer::DegradedStart);
        let admitted = Admitted {
            session: session.clone(),
            limit: self.policy().default_limit,
            active: 1,
            evicted: Vec::new(),
        };
        let start = if is_new {
            StartOutcome::Admitted(admitted)
        } else {
            StartOutcome::AlreadyLive(admitted)
        };
        Ok(Answered::degraded(outcome(start, session)))
    }

    /// The start of a session that this node admitted without the store.
    pub(crate) fn admitted_without_store(&self, user: &UserKey, id: &SessionId) -> Option<Start> {
        let open = self.fail_open.as_ref()?;
        open.memory.find(user, id, open.clock.now().time)
    }

    /// Brings a session to the store that was admitted without it.
    pub(crate) async fn adopt(
        &self,
        user: &UserKey,
        start: Start,
    ) -> Result<HeartbeatOutcome, EngineError> {
        let adopt = Adopt(start);
        let outcome = self.execute(user, &adopt).await?;
        let holds_slot = matches!(
            outcome,
            HeartbeatOutcome::Renewed { .. } | HeartbeatOutcome::Revived { .. }
        );
        let open = self.fail_open.as_ref();
        if open.is_some_and(|open| open.memory.settle(user, &adopt.0.id, holds_slot)) {
            self.observer.reconciled(holds_slot);
        }
        Ok(outcome)
    }

    /// The store's answer to a heartbeat. Where it has none, and the engine fails open, the player
    /// may go on.
    pub(crate) fn or_go_on(
        &self,
        user: &UserKey,
        id: &SessionId,
        decided: Result<HeartbeatOutcome, EngineError>,
    ) -> Result<Answered<HeartbeatOutcome>, EngineError> {
        match (decided, &self.fail_open) {
            (Err(error), Some(open)) if error.is_retryable() => {
                let now = open.clock.now().time;
                open.warn(now, &error);
                let session = open.memory.renew(user, id, now);
                let session = session.unwrap_or_else(|| Session {
                    id: id.clone(),
                    started_at: now,
                    last_seen_at: now,
                    expires_at: now.plus(self.policy().lease),
                    lease: self.policy().lease,
                    metadata: None,
                });
                let session = open.as_of_store(self.wall(), session).held();
                self.observer.answered(Answer::DegradedHeartbeat);
                Ok(Answered::degraded(HeartbeatOutcome::Renewed {
                    session,
                    limit: self.policy().default_limit,
                    active: 1,
                }))
            }
            (decided, _) => {
                let outcome = decided?;
                self.observer.answered(Answer::Heartbeat(&outcome));
                Ok(outcome.into())
            }
        }
    }

    /// A player stops: whatever the store says, its session is not brought to it any more. Whether
    /// one was remembered.
    pub(crate) fn forget_degraded(&self, user: &UserKey, id: &SessionId) -> bool {
        let open = self.fail_open.as_ref();
        open.is_some_and(|open| open.memory.forget(user, id))
    }

    /// An operator ends all sessions of a user.
    pub(crate) fn forget_degraded_of(&self, user: &UserKey) {
        if let Some(open) = &self.fail_open {
            open.memory.forget_user(user);
        }
    }
}
