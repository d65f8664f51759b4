//! Sweeping: removes expired sessions from memory and reports them. No promise depends on it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use streamgate_clock::Stopwatch;
use streamgate_core::admission::Settle;
use streamgate_core::{Event, Policy, UserKey};
use streamgate_store::{Change, Cursor, StepFn, Swept, View};

use crate::decision::decide_on;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::observer::EngineObserver;
use crate::report::Reports;

/// Records in one slice.
const SLICE_RECORDS: usize = 1_000;

/// A sweep is busy for at most 1/20 of the time, so that calls are not delayed. With tens of
/// millions of users a pass then takes longer than its interval.
const BUSY_PART: u32 = 20;

/// How long to wait after a store that could not be swept.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

impl Engine {
    /// Sweeps until dropped: one pass over all records every `sweep_interval`, in slices spread
    /// evenly over it; slower if it would take more than a twentieth of a processor.
    pub async fn sweep_forever(&self) {
        let mut cursor = None;
        loop {
            let watch = Stopwatch::start();
            let pause = match self.sweep_slice(cursor.take()).await {
                Ok(swept) => {
                    cursor = swept.next;
                    let share = self.share_of_interval(swept.visited);
                    pause_between(share, watch.elapsed())
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
            cursor = self.sweep_slice(cursor).await?.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn sweep_slice(&self, from: Option<Cursor>) -> Result<Swept, EngineError> {
        // One policy for the whole slice: it is short.
        let mut step = SweepStep {
            reports: &self.reports,
            observer: &*self.observer,
            policy: self.policy(),
            found: None,
            damaged: 0,
        };
        let swept = self
            .within_deadline(self.store.sweep(from.as_ref(), SLICE_RECORDS, &mut step))
            .await??;
        if step.damaged > 0 {
            self.observer.damaged(step.damaged);
            tracing::error!(
                damaged = step.damaged,
                "records that cannot be read; `streamgate store check` helps"
            );
        }
        Ok(swept)
    }

    /// The time to allot to a slice of `visited` records, so that one pass takes `sweep_interval`
    /// whatever the size of a slice.
    fn share_of_interval(&self, visited: usize) -> Duration {
        let count = |records: u64| u32::try_from(records).unwrap_or(u32::MAX);
        let visited = count(visited as u64);
        let records = count(self.store.record_count().unwrap_or(0));
        let interval = self.settings.sweep_interval;
        if visited == 0 || visited >= records {
            return interval;
        }
        interval.mul_f64(f64::from(visited) / f64::from(records))
    }
}

/// How long to wait after a slice: the rest of its share of the interval, or longer.
fn pause_between(share: Duration, took: Duration) -> Duration {
    share
        .saturating_sub(took)
        .max(took.saturating_mul(BUSY_PART - 1))
}

/// The step of one slice of a sweep.
struct SweepStep<'a> {
    reports: &'a Reports,
    observer: &'a dyn EngineObserver,
    policy: Guard<Arc<Policy>>,
    /// What the last run has changed, until the store confirms it.
    found: Option<(UserKey, Vec<Event>)>,
    /// How many records could not be read.
    damaged: usize,
}

impl StepFn for SweepStep<'_> {
    fn run(&mut self, view: View<'_>) -> Option<Change> {
        let Ok(decision) = decide_on(view, &self.policy, &Settle) else {
            self.damaged += 1;
            return None;
        };
        self.observer.swept(view.key, decision.ledger.live.len());
        let change = Change::of(&decision, &self.policy)?;
        self.found = Some((view.key.clone(), decision.events));
        Some(change)
    }

    fn swept(&mut self) {
        if let Some((user, events)) = self.found.take() {
            self.reports.committed(&user, &events);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_takes_its_interval_or_a_twentieth_of_a_processor() {
        let ms = Duration::from_millis;
        assert_eq!(pause_between(ms(30), ms(1)), ms(29));
        assert_eq!(pause_between(ms(30), ms(10)), ms(190));
        assert_eq!(pause_between(ms(0), ms(0)), ms(0));
    }
}
