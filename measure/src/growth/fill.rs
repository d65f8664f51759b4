//! A data directory with live sessions in it, as a server leaves it when it stops.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_clock::SystemClock;
use streamgate_core::admission::{Start, StartOutcome};
use streamgate_core::{Policy, SessionId, TenantId, UserId, UserKey};
use streamgate_engine::{Engine, EngineSettings, NoObserver, RandomIds};
use streamgate_loadgen::workload::Slots;
use streamgate_loadgen::{Population, Share};
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore, LogObserver};

use crate::Result;
use crate::failed;

/// Two sessions of each user, numbered as the loads number them that call later.
pub(crate) const SLOTS: Slots = Slots {
    share: Share::ALL,
    sessions_per_user: 2,
};

/// Tells when a snapshot is in place.
struct Snapshots(Mutex<Sender<()>>);

impl LogObserver for Snapshots {
    fn snapshot_written(&self, _: u64, _: u64, _: Duration) {
        // Nobody waits for those that come by themselves.
        let _ = self.0.lock().send(());
    }
}

/// Starts two sessions of each user, and stops with a snapshot of them all.
pub(crate) async fn fill(
    dir: &Path,
    population: &Population,
    users: u64,
    policy: Policy,
) -> Result<()> {
    let (sender, snapshots) = channel();
    let config = EmbeddedConfig {
        // Filling is not measured; what lies on the disk afterwards is the same.
        durability: DurabilityMode::None,
        ..EmbeddedConfig::new(dir)
    };
    let store = Arc::new(EmbeddedStore::open(
        config,
        Arc::new(SystemClock::new()),
        Arc::new(Snapshots(Mutex::new(sender))),
        failed(),
    )?);
    let engine = Engine::new(
        Arc::clone(&store) as _,
        Arc::new(policy),
        Arc::new(RandomIds),
        Arc::new(NoObserver),
        EngineSettings::default(),
    );
    let tenant = TenantId::default_tenant();
    let (mut user, mut id) = (Vec::new(), Vec::new());
    // The second session of a user comes long after the first, as it does in life: its record has
    // to be found again.
    for turn in 0..SLOTS.sessions_per_user {
        for number in 0..users {
            let session = SLOTS.session(number * SLOTS.sessions_per_user + turn, 0);
            user.clear();
            id.clear();
            population.write_user(session.user, &mut user);
            population.write_session(session, &mut id);
            let user = UserKey::new(&tenant, &UserId::new(std::str::from_utf8(&user)?)?);
            let start = Start::new(SessionId::new(std::str::from_utf8(&id)?)?);
            let told = engine.start(&user, &start).await?;
            if !matches!(told.outcome, StartOutcome::Admitted(_)) {
                return Err(format!("a session was not admitted: {:?}", told.outcome).into());
            }
        }
    }
    // One that is being written does not have them all; the next one has.
    while snapshots.try_recv().is_ok() {}
    store.request_snapshot();
    snapshots.recv()?;
    engine.close().await?;
    Ok(())
}
