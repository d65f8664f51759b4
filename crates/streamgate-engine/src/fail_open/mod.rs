//! Answering players without the store, for operators who would rather let too many watch than
//! none.
//!
//! What is admitted so is remembered on this node, and brought to the store when it is back: by the
//! session's next heartbeat or by [`crate::Engine::reconcile_forever`], whichever comes first. From
//! then on the limit holds again. Stops, lists and changes of users are never answered without the
//! store.

mod answers;
mod memory;
mod reconcile;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streamgate_clock::Clock;
use streamgate_core::{Session, Timestamp};
use tokio::sync::Notify;

use crate::error::EngineError;
use crate::wall::Wall;
use memory::Memory;

/// How often the log says that players are answered without the store, in milliseconds.
const WARN_EVERY_MS: u64 = 10_000;

/// What players are answered while the store cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailMode {
    /// That it cannot be used: the limit holds, and nobody new watches.
    #[default]
    Closed,
    /// That they may watch: nobody is turned away, and the limit does not hold for that while.
    Open,
}

/// What a player is told, and whether the store had a say in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// The outcome. In a degraded one the limit is the default and only this session is counted,
    /// because nothing is known of the user.
    pub outcome: T,
    /// Whether it was given without the store, which could not be used.
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
    const fn degraded(outcome: T) -> Self {
        Self {
            outcome,
            is_degraded: true,
        }
    }
}

/// What an engine needs to answer without its store.
pub(crate) struct FailOpen {
    clock: Arc<dyn Clock>,
    memory: Memory,
    /// Rings when there is something to reconcile.
    admitted: Notify,
    warned_at_ms: AtomicU64,
}

impl FailOpen {
    /// From this node's clock to that of the store, so that its sessions are shown as others are.
    fn as_of_store(&self, wall: Wall, session: Session) -> Session {
        wall.ahead_of(self.clock.wall_offset_ms())
            .show_session(session)
    }

    fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            memory: Memory::default(),
            admitted: Notify::new(),
            warned_at_ms: AtomicU64::new(0),
        }
    }

    /// Says so in the log, now and then.
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
