//! Reconciliation: sessions that were admitted without the store (fail open) are written to it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use streamgate_core::UserKey;
use streamgate_core::admission::{Adopt, HeartbeatOutcome, Start};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::fail_open::FailOpen;

/// Sessions in one batch.
const BATCH: usize = 1_000;

/// How many are written concurrently. Few, because the store has just come back.
const AT_ONCE: usize = 32;

/// How long to wait between two tries while the store cannot be used.
const ASK_EVERY: Duration = Duration::from_secs(1);

impl Engine {
    /// Writes sessions that were admitted without the store to it when it is back, until dropped. A
    /// heartbeat does so for its session; this is for sessions without a heartbeat yet, or with
    /// heartbeats on another node.
    pub async fn reconcile_forever(&self) {
        let Some(open) = &self.fail_open else {
            return;
        };
        loop {
            while let Err(error) = self.reconcile(open).await {
                tracing::debug!(
                    %error,
                    "some sessions that were admitted without the store are not in it yet"
                );
                tokio::time::sleep(ASK_EVERY).await;
            }
            open.admitted().await;
        }
    }

    /// Writes all sessions that are remembered.
    async fn reconcile(&self, open: &FailOpen) -> Result<(), EngineError> {
        loop {
            let pending = open.pending(BATCH);
            if pending.is_empty() {
                return Ok(());
            }
            self.check_ready().await?;
            let all = pending.len();
            let found_slots = stream::iter(pending)
                .map(|(user, start)| self.reconcile_one(open, user, start))
                .buffer_unordered(AT_ONCE)
                .try_fold(0, async |count, holds_slot| {
                    Ok(count + usize::from(holds_slot))
                })
                .await?;
            tracing::info!(
                found_slots,
                found_none = all - found_slots,
                "the store is back and has heard of sessions that were admitted without it"
            );
        }
    }

    /// Writes one session. `true` if it holds a slot now.
    async fn reconcile_one(
        &self,
        open: &FailOpen,
        user: UserKey,
        start: Start,
    ) -> Result<bool, EngineError> {
        let id = start.id.clone();
        match self.adopt(open, &user, start).await {
            Ok(outcome) => Ok(!matches!(outcome, HeartbeatOutcome::Ended(_))),
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => {
                // A retry would not help, and the session's heartbeat would get the same error.
                tracing::error!(%error, "a session that was admitted without the store is lost");
                open.memory.forget(&user, &id);
                Ok(false)
            }
        }
    }

    /// Writes a session that was admitted without the store to it. The outcome is as of a
    /// heartbeat.
    pub(crate) async fn adopt(
        &self,
        open: &FailOpen,
        user: &UserKey,
        start: Start,
    ) -> Result<HeartbeatOutcome, EngineError> {
        let mut adopt = Adopt(start);
        let mut adopted = self.outcome(user, &adopt).await;
        if let Err(error @ EngineError::NeedsFormat(_)) = &adopted
            && let Some(metadata) = &mut adopt.0.metadata
        {
            // It was admitted before the store's format was known. Its slot matters more.
            tracing::warn!(%error, "a session that was admitted without the store loses metadata");
            Arc::make_mut(metadata).reduce_to(self.store.format());
            adopted = self.outcome(user, &adopt).await;
        }
        let outcome = adopted?;
        let holds_slot = outcome.alive().is_some();
        if open.memory.mark_reconciled(user, &adopt.0.id, holds_slot) {
            self.observer.reconciled(holds_slot);
        }
        Ok(outcome)
    }
}
