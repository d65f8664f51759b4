//! Follows the readiness for the status, as `/readyz` sees it.

use std::sync::Arc;
use std::time::Duration;

use streamgate_engine::Engine;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::Manager;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Manager {
    /// Keeps the status up to date until the task is aborted; `None` without a service manager.
    pub(in crate::serve) fn follow(&self, engine: &Arc<Engine>) -> Option<JoinHandle<()>> {
        if !self.is_there() {
            return None;
        }
        let (manager, engine) = (self.clone(), Arc::clone(engine));
        Some(tokio::spawn(async move {
            let mut looks = interval(LOOK_EVERY);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                looks.tick().await;
                let ready = engine.check_ready().await;
                manager.readiness(ready.err().map(|error| error.to_string()));
            }
        }))
    }
}
