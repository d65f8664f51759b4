//! The format mark of a remote store, read while serving: nodes of the next release may raise it,
//! see `docs/operating.md`.

use std::sync::Arc;
use std::time::Duration;

use streamgate_store::versioned::{NewerFormat, Optimistic, VersionedStore};
use tokio::time::sleep;

/// How often the mark is read.
const READ_EVERY: Duration = Duration::from_secs(3);

/// Keeps reading the mark: while it names a version that this program cannot read, the store
/// answers every call 503. Called on the runtime. If a read fails, the next one tells.
pub(super) fn watch<S: VersionedStore>(store: Arc<Optimistic<S>>) {
    tokio::spawn(async move {
        let mut before = Ok(());
        loop {
            sleep(READ_EVERY).await;
            if let Ok(now) = store.look_at_format().await
                && now != before
            {
                log(now);
                before = now;
            }
        }
    });
}

fn log(now: Result<(), NewerFormat>) {
    match now {
        Err(newer) => tracing::error!(
            reason = %newer,
            "calls are answered 503 and nothing is changed: run the newer version on this node, too"
        ),
        Ok(()) => tracing::info!("all records of the store can be read again: calls are served"),
    }
}
