//! Sweeping: takes what is over out of memory and reports it. No promise depends on it.

use std::time::Duration;

use streamgate_core::Event;
use streamgate_core::admission::Settle;
use streamgate_store::{Cursor, View};

use crate::engine::{Engine, change_of};
use crate::error::EngineError;

/// Records looked at in one go.
const SLICE_RECORDS: usize = 1_000;

/// How long to wait after a store that could not be swept.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

impl Engine {
    /// Sweeps until it is dropped: one pass over all records every `sweep_interval`, in slices
    /// spread evenly over it.
    pub async fn sweep_forever(&self) {
        let mut cursor = None;
        loop {
            let pause = match self.sweep_slice(cursor.take()).await {
                Ok(next) => {
                    cursor = next;
                    self.pause_between_slices()
                }
                Err(error) => {
                    tracing::warn!(%error, "the sweep could not go on; it begins again");
                    PAUSE_AFTER_ERROR
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Sweeps every record once, without pauses.
    ///
    /// # Errors
    /// [`EngineError`] of the store.
    pub async fn sweep_all(&self) -> Result<(), EngineError> {
        let mut cursor = None;
        loop {
            cursor = self.sweep_slice(cursor).await?;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn sweep_slice(&self, from: Option<Cursor>) -> Result<Option<Cursor>, EngineError> {
        let mut events: Vec<Event> = Vec::new();
        let mut damaged = 0_usize;
        let mut step = |view: View<'_>| match self.decide_on(view, &Settle) {
            Ok(decision) => {
                let change = change_of(&decision);
                events.extend(decision.events);
                change
            }
            Err(_) => {
                damaged += 1;
                None
            }
        };
        let swept = self
            .within_deadline(self.store.sweep(from.as_ref(), SLICE_RECORDS, &mut step))
            .await??;
        if !events.is_empty() {
            self.observer.committed(&events);
        }
        if damaged > 0 {
            tracing::error!(
                damaged,
                "records that cannot be read; `streamgate store check` helps"
            );
        }
        Ok(swept.next)
    }

    fn pause_between_slices(&self) -> Duration {
        let records = self.store.record_count().unwrap_or(0);
        let slices = records.div_ceil(SLICE_RECORDS as u64).max(1);
        self.settings.sweep_interval / u32::try_from(slices).unwrap_or(u32::MAX)
    }
}
