//! Answering players without the store, for operators who prefer too many viewers to none.
//!
//! This node remembers the sessions it admits so, and writes them to the store when it is back:
//! with the session's next heartbeat or by [`crate::Engine::reconcile_forever`], whichever comes
//! first. From then on the limit holds again. Stops, lists and changes of users are never answered
//! without the store.
//!
//! What is *not* here: the store and the engine. The engine asks this module after the store has
//! failed.

mod memory;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streamgate_clock::Clock;
use streamgate_core::admission::{Admitted, Alive, HeartbeatOutcome, Start, StartOutcome};
use streamgate_core::{Policy, Session, SessionId, Timestamp, UserKey};
use tokio::sync::Notify;

use crate::error::EngineError;
use crate::wall::Wall;
use memory::Memory;

/// How often the log says that players are answered without the store, in milliseconds.
const WARN_EVERY_MS: u64 = 10_000;

/// What players are answered while the store cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailMode {
    /// Fail closed: an error. The limit holds, and no session starts.
    #[default]
    Closed,
    /// Fail open: they may watch. No player is turned away, and the limit does not hold meanwhile.
    Open,
}

/// The answer to a player, and whether the store gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// The outcome. In a degraded one the limit is the default and only this session is counted,
    /// because nothing is known of the user.
    pub outcome: T,
    /// Whether it was given without the store, because that could not be used.
    pub is_degraded: bool,
}

impl<T> From<T> for Answered<T> {
    /// What the store decided.
    fn from(outcome: T) -> Self {
        Self {
            outcome,
            is_degraded: false,
        }
    }
}

impl<T> Answered<T> {
    pub(crate) const fn degraded(outcome: T) -> Self {
        Self {
            outcome,
            is_degraded: true,
        }
    }
}

/// What an engine needs to answer without its store.
pub(crate) struct FailOpen {
    clock: Arc<dyn Clock>,
    pub(crate) memory: Memory,
    /// Notified when there is something to reconcile.
    admitted: Notify,
    warned_at_ms: AtomicU64,
}

impl FailOpen {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            memory: Memory::default(),
            admitted: Notify::new(),
            warned_at_ms: AtomicU64::new(0),
        }
    }

    /// Whether this node admitted a session of this name on another device, which may not have
    /// reached the store.
    pub(crate) fn is_taken(&self, user: &UserKey, start: &Start) -> bool {
        self.memory.len() > 0 && self.memory.is_taken(user, start, self.clock.now().time)
    }

    /// Admits a session, because the store failed with `error`; `Taken` if its name is that of a
    /// session of another device.
    pub(crate) fn admit(
        &self,
        user: &UserKey,
        start: &Start,
        policy: &Policy,
        wall: Wall,
        error: &EngineError,
    ) -> StartOutcome {
        let now = self.clock.now().time;
        self.warn(now, error);
        let lease = start.lease.unwrap_or(policy.lease);
        let Some((session, is_new)) = self.memory.admit(user, start, lease, now) else {
            return StartOutcome::Taken;
        };
        self.admitted.notify_one();
        let admitted = Admitted {
            session: self.as_of_store(wall, session),
            limit: policy.default_limit,
            active: 1,
            evicted: Vec::new(),
        };
        if is_new {
            StartOutcome::Admitted(admitted)
        } else {
            StartOutcome::AlreadyLive(admitted)
        }
    }

    /// Renews a session, because the store failed with `error`; also one that is not remembered,
    /// which the store may know.
    pub(crate) fn renew(
        &self,
        user: &UserKey,
        id: &SessionId,
        policy: &Policy,
        wall: Wall,
        error: &EngineError,
    ) -> HeartbeatOutcome {
        let now = self.clock.now().time;
        self.warn(now, error);
        let session = self.memory.renew(user, id, now);
        let session = session.unwrap_or_else(|| Session {
            id: id.clone(),
            started_at: now,
            last_seen_at: now,
            expires_at: now.plus(policy.lease),
            lease: policy.lease,
            metadata: None,
        });
        HeartbeatOutcome::Renewed(Alive {
            session: self.as_of_store(wall, session).held(),
            limit: policy.default_limit,
            active: 1,
        })
    }

    /// The start of a session that is remembered.
    pub(crate) fn find(&self, user: &UserKey, id: &SessionId) -> Option<Start> {
        self.memory.find(user, id, self.clock.now().time)
    }

    /// Up to `count` sessions that are not written to the store yet.
    pub(crate) fn pending(&self, count: usize) -> Vec<(UserKey, Start)> {
        self.memory.pending(count, self.clock.now().time)
    }

    /// Waits until a session is admitted.
    pub(crate) async fn admitted(&self) {
        self.admitted.notified().await;
    }

    /// Converts times of this node's clock to the store's, so that all sessions are shown alike.
    fn as_of_store(&self, wall: Wall, session: Session) -> Session {
        wall.ahead_of(self.clock.wall_offset_ms())
            .show_session(session)
    }

    /// Warns in the log, at most once per [`WARN_EVERY_MS`].
    fn warn(&self, now: Timestamp, error: &EngineError) {
        let now_ms = now.as_millis();
        let warned_at_ms = self.warned_at_ms.load(Ordering::Relaxed);
        let is_due = now_ms.saturating_sub(warned_at_ms) >= WARN_EVERY_MS;
        let claim = || {
            let (order, failed) = (Ordering::Relaxed, Ordering::Relaxed);
            self.warned_at_ms
                .compare_exchange(warned_at_ms, now_ms, order, failed)
        };
        if is_due && claim().is_ok() {
            tracing::warn!(
                %error,
                remembered = self.memory.len(),
                "the store cannot be used; players are let in without it, and limits do not hold"
            );
        }
    }
}
