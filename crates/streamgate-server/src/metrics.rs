//! Metrics. (Skeleton.)

use std::time::Duration;

use streamgate_core::Event;
use streamgate_engine::{Answer, Observer};

/// What the process counts, for Prometheus. One for all; share it.
#[derive(Debug, Default)]
pub struct Metrics {}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many sessions a restart found alive; later ones are counted by events.
    pub fn set_live_sessions(&self, _count: u64) {}

    /// The embedded store has written a batch.
    pub fn observe_commit(&self, _records: usize, _bytes: usize, _duration: Duration) {}

    /// Everything in the Prometheus text format (OpenMetrics).
    #[must_use]
    pub fn render(&self) -> String {
        String::new()
    }
}

impl Observer for Metrics {
    fn committed(&self, _events: &[Event]) {}
    fn answered(&self, _answer: Answer<'_>) {}
    fn outcome_unknown(&self) {}
}

/// Every metric's name and help text, in the order of the page.
#[must_use]
pub fn metric_names() -> Vec<(String, String)> {
    Vec::new()
}
