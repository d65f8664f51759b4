//! The embedded store alone: its steps hand over bytes that were made before.

use std::path::Path;
use std::sync::Arc;

use streamgate_core::admission::{Heartbeat, Start, Stop};
use streamgate_core::{EndReason, Policy, UserKey};
use streamgate_store::{Change, Store as _, View};
use streamgate_store_embedded::{EmbeddedConfig, EmbeddedStore, LogObserver, NoLogObserver};
use tokio::runtime::Builder;

use crate::Result;
use crate::audience::{SESSIONS, USERS, clock, each_user, record, seat, session, user};
use crate::callgrind::laps;
use crate::paths::core::step;

/// Changes that no disk need hear of.
pub(super) fn heartbeat(repetitions: u64) -> Result<()> {
    run(repetitions, |number| {
        let (record, id) = (record(number, SESSIONS)?, session(number, 0)?);
        let (_, change) = step(&record, &Policy::default(), &Heartbeat { id })?;
        Ok([change])
    })
}

/// A durable change, and another that takes it back.
pub(super) fn start_stop(repetitions: u64) -> Result<()> {
    run(repetitions, |number| {
        let (record, policy) = (record(number, SESSIONS)?, Policy::default());
        let (id, reason) = (session(number, SESSIONS)?, EndReason::Stopped);
        let (_, started) = step(&record, &policy, &Start::new(id.clone()))?;
        let started = started.ok_or("a start changes the record")?;
        let record = started.record.clone().ok_or("it has a session")?;
        let (_, stopped) = step(&record, &policy, &Stop { id, reason })?;
        Ok([Some(started), stopped])
    })
}

/// Lets users make their changes in turn, one after the other.
fn run<const N: usize>(
    repetitions: u64,
    changes: impl Fn(u64) -> Result<[Option<Change>; N]>,
) -> Result<()> {
    let calls: Vec<(UserKey, [Option<Change>; N])> =
        each_user(|number| Ok((user(number)?, changes(number)?)))?;
    let dir = tempfile::tempdir()?;
    let runtime = Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let store = open(dir.path(), Arc::new(NoLogObserver))?;
        seat(&store, USERS, SESSIONS).await?;
        for (user, changes) in laps(&calls, repetitions) {
            for change in changes {
                store
                    .transact(user, &mut |_: View<'_>| change.clone())
                    .await?;
            }
        }
        Ok(store.close().await?)
    })
}

/// A new store as `streamgate serve` has it, but for the clock.
pub(super) fn open(dir: &Path, observer: Arc<dyn LogObserver>) -> Result<EmbeddedStore> {
    let config = EmbeddedConfig {
        // No more than these tests fill: the directory may be in memory.
        segment_bytes: 4 << 20,
        ..EmbeddedConfig::new(dir)
    };
    // A store that has failed answers with errors, which end the program.
    let on_fatal = Arc::new(|_| ());
    Ok(EmbeddedStore::open(config, clock(), observer, on_fatal)?)
}
