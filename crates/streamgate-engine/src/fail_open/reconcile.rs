//! Bringing to the store what was admitted without it.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use streamgate_core::UserKey;
use streamgate_core::admission::{HeartbeatOutcome, Start};

use super::FailOpen;
use crate::engine::Engine;
use crate::error::EngineError;

/// Sessions brought in one go.
const BATCH: usize = 1_000;

/// How many of them at once: the store has just come back.
const AT_ONCE: usize = 32;

/// How long to wait before the store is asked again whether it is back.
const ASK_EVERY: Duration = Duration::from_secs(1);

impl Engine {
    /// Brings sessions that were admitted without the store to it when it is back, until dropped.
    /// Players who call in the meantime do it themselves; this is for those who do not call for
    /// long, and for heartbeats that go to another node.
    pub async fn reconcile_forever(&self) {
        let Some(open) = &self.fail_open else {
            return;
        };
        loop {
            while let Err(error) = self.reconcile(open).await {
                tracing::debug!(%error, "the store has not heard yet of all that was admitted without it");
                tokio::time::sleep(ASK_EVERY).await;
            }
            open.admitted.notified().await;
        }
    }

    /// Brings all that are remembered.
    async fn reconcile(&self, open: &FailOpen) -> Result<(), EngineError> {
        loop {
            let pending = open.memory.pending(BATCH, open.clock.now().time);
            if pending.is_empty() {
                return Ok(());
            }
            self.check_ready().await?;
            let all = pending.len();
            let found_slots = stream::iter(pending)
                .map(|(user, start)| self.bring(open, user, start))
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

    /// Brings one; whether it holds a slot now.
    async fn bring(
        &self,
        open: &FailOpen,
        user: UserKey,
        start: Start,
    ) -> Result<bool, EngineError> {
        let id = start.id.clone();
        match self.adopt(&user, start).await {
            Ok(outcome) => Ok(!matches!(outcome, HeartbeatOutcome::Ended(_))),
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => {
                // Asking again would not help; its player will hear the same.
                tracing::error!(%error, "a session that was admitted without the store is lost");
                open.memory.forget(&user, &id);
                Ok(false)
            }
        }
    }
}
