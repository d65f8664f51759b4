//! The format mark of a remote store, read while serving: nodes of the next release may raise it,
//! see `docs/operations/upgrading.md`.

use std::sync::Arc;
use std::time::Duration;

use streamgate_store::versioned::{NewerFormat, Optimistic, VersionedStore};
use tokio::time::sleep;

/// How often the mark is read.
const READ_EVERY: Duration = Duration::from_secs(3);

/// Keeps reading the mark: while it names a version that this program cannot read, the store
/// answers every call 503. Raises it where `store.format` says so. Called on the runtime. A mark
/// that cannot be read now is read later.
pub(super) fn watch<S: VersionedStore>(store: Arc<Optimistic<S>>) {
    tokio::spawn(async move {
        let (mut before, mut failed_before) = (Ok(()), None);
        loop {
            sleep(READ_EVERY).await;
            let Ok(now) = store.look_at_format().await else {
                continue;
            };
            if now != before {
                log(now);
                before = now;
            }
            let failed = store.raise_format().await.err();
            if let Some(error) = failed.as_ref().filter(|_| failed != failed_before) {
                tracing::warn!(
                    %error,
                    "the format of the store cannot be raised to store.format: what needs the newer \
                     format is refused until it can"
                );
            }
            failed_before = failed;
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
