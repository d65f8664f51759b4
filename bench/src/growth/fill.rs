//! A data directory with live sessions in it, as a server leaves it when it stops.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_core::admission::{Start, StartOutcome};
use streamgate_core::{Policy, SessionId, TenantId, UserId, UserKey};
use streamgate_engine::{Engine, EngineSettings, NoObserver, RandomIds};
use streamgate_load::{Population, Session};
use streamgate_store::SystemClock;
use streamgate_store_embedded::{CommitObserver, DurabilityMode, EmbeddedConfig, EmbeddedStore};

use crate::Result;
use crate::candidates::failed;

/// How many sessions each user has.
pub(crate) const SESSIONS_PER_USER: u64 = 2;

/// Tells when a snapshot is in place.
struct Snapshots(Mutex<Sender<()>>);

impl CommitObserver for Snapshots {
    fn snapshot_written(&self, _: u64, _: u64, _: Duration) {
        // Nobody waits for those that come by themselves.
        let _ = self.0.lock().send(());
    }
}

/// The session at a place, as loads of `streamgate_load` number them.
pub(crate) fn session(place: u64) -> Session {
    Session {
        user: place / SESSIONS_PER_USER,
        number: place,
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
    // The second session of a user comes long after the first, as it does in life: its record has to
    // be found again.
    for turn in 0..SESSIONS_PER_USER {
        for number in 0..users {
            let session = session(number * SESSIONS_PER_USER + turn);
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
