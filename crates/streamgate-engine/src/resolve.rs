//! Finding out what became of calls that ended without their outcome: reads the user's record and
//! compares it with what each run would have left in it.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use streamgate_core::UserKey;
use streamgate_core::admission::Settle;

use crate::call::Call;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::unresolved_runs::UnresolvedRuns;

/// How long to wait before records are read: a commit whose answer was lost may still arrive, and a
/// store that is unavailable may be back.
const READ_EVERY: Duration = Duration::from_secs(1);

/// How many records are read at once.
const AT_ONCE: usize = 32;

impl Engine {
    /// How many calls have ended without their outcome, so that it is not reported yet whether
    /// their changes were committed.
    #[must_use]
    pub fn unresolved_calls(&self) -> usize {
        self.reports.unresolved_len()
    }

    /// Finds out what became of calls that ended without their outcome, and reports it, until
    /// dropped. No answer depends on it.
    pub async fn resolve_forever(&self) {
        loop {
            self.reports.unresolved_added().await;
            while self.unresolved_calls() > 0 {
                tokio::time::sleep(READ_EVERY).await;
                let calls = self.reports.take_unresolved();
                stream::iter(calls)
                    .for_each_concurrent(AT_ONCE, |(user, runs)| self.resolve(user, runs))
                    .await;
            }
        }
    }

    /// Brings a record up to the present, compares it with what the call would have left, and
    /// reports what happened. If the store has no answer, the call stays unresolved.
    async fn resolve(&self, user: UserKey, runs: UnresolvedRuns<()>) {
        let mut call = Call::resolving(self, &user, &Settle, runs);
        match self.within_deadline(call.run_until_known()).await {
            Ok(Ok(())) => self.reports.committed(&user, &call.take_decision().events),
            Ok(Err(error @ (EngineError::Damaged(_) | EngineError::TooLarge(_)))) => {
                tracing::error!(%error, "what became of a call cannot be found out");
            }
            Ok(Err(error)) | Err(error) => {
                tracing::debug!(%error, "what became of a call is not known yet");
            }
        }
    }
}
