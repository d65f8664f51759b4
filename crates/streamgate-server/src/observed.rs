//! The parts of a server that observe its engine, made together because the endpoints read them.

use std::sync::Arc;

use streamgate_engine::Observers;

use crate::activity::Activity;
use crate::metrics::Metrics;
use crate::push::Hub;
use crate::settings::ServerSettings;

/// What observes an engine, and what [`app`](crate::app) answers from.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The event streams.
    pub hub: Arc<Hub>,
    /// The past hour.
    pub activity: Arc<Activity>,
}

impl Observed {
    /// Nothing observed yet.
    #[must_use]
    pub fn new(settings: &ServerSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            hub: Hub::new(settings, &metrics),
            activity: Activity::new(&metrics),
            metrics,
        }
    }

    /// The observers of the engine.
    #[must_use]
    pub fn observers(&self) -> Observers {
        Observers::new([
            Arc::clone(&self.metrics) as _,
            Arc::clone(&self.hub) as _,
            Arc::clone(&self.activity) as _,
        ])
    }

    /// Follows the notices of other nodes, and samples this one, until the runtime ends. Called on
    /// the runtime, after [`app`](crate::app), which finds the notices of the store.
    pub fn run_in_background(&self) {
        let (hub, activity) = (Arc::clone(&self.hub), Arc::clone(&self.activity));
        tokio::spawn(async move { hub.follow_notices().await });
        tokio::spawn(async move { activity.sample_forever().await });
    }
}
