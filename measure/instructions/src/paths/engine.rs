//! The engine over the memory store.

use std::sync::Arc;

use streamgate_core::admission::{
    Heartbeat, HeartbeatOutcome, Start, StartOutcome, Stop, StopOutcome,
};
use streamgate_core::{EndReason, Policy};
use streamgate_engine::{Engine, EngineSettings, NoObserver, RandomIds};
use streamgate_store::MemoryStore;
use tokio::runtime::Builder;

use crate::Result;
use crate::audience::{SESSIONS, USERS, clock, each_user, seat, session, user};
use crate::callgrind::laps;

/// Heartbeats of live sessions.
pub(super) fn heartbeat(repetitions: u64) -> Result<()> {
    let calls = each_user(|number| {
        let id = session(number, 0)?;
        Ok((user(number)?, Heartbeat { id }))
    })?;
    run(async |engine| {
        for (user, heartbeat) in laps(&calls, repetitions) {
            let told = engine.heartbeat(user, heartbeat).await?;
            if !matches!(told.outcome, HeartbeatOutcome::Renewed { .. }) {
                return Err("a heartbeat renews the lease".into());
            }
        }
        Ok(())
    })
}

/// Sessions that start and stop.
pub(super) fn start_stop(repetitions: u64) -> Result<()> {
    let calls = each_user(|number| {
        let (id, reason) = (session(number, SESSIONS)?, EndReason::Stopped);
        Ok((user(number)?, Start::new(id.clone()), Stop { id, reason }))
    })?;
    run(async |engine| {
        for (user, start, stop) in laps(&calls, repetitions) {
            let told = engine.start(user, start).await?;
            if !matches!(told.outcome, StartOutcome::Admitted(_)) {
                return Err("a slot is free for the start".into());
            }
            if engine.stop(user, stop).await? != StopOutcome::Stopped {
                return Err("the stop finds the session".into());
            }
        }
        Ok(())
    })
}

/// Makes an engine and lets it be called.
fn run(calls: impl AsyncFnOnce(&Engine) -> Result<()>) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let store = Arc::new(MemoryStore::new(clock()));
        seat(&*store, USERS, SESSIONS).await?;
        let engine = Engine::new(
            store,
            Arc::new(Policy::default()),
            Arc::new(RandomIds),
            Arc::new(NoObserver),
            EngineSettings::default(),
        );
        calls(&engine).await
    })
}
