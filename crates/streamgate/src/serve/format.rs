//! The format mark of a remote store, read while serving: nodes of the next release may raise it,
//! see `docs/operations/upgrading.md`.

use std::sync::Arc;
use std::time::Duration;

use streamgate_store::versioned::{NewerFormat, Optimistic, VersionedStore};
use streamgate_store::{BoxFuture, StoreError};
use tokio::time::sleep;

/// How often the mark is read.
pub(crate) const READ_EVERY: Duration = Duration::from_secs(3);

/// Reads the mark of one store, and logs what is new about it.
pub(crate) trait FormatWatch: Send {
    /// Reads the mark: while it names a version that this program cannot read, the store answers
    /// every call 503. Raises it where `store.format` says so. A mark that cannot be read now is
    /// read next time.
    fn look(&mut self) -> BoxFuture<'_, ()>;
}

/// The mark of a store, and what was found before.
struct Mark<S> {
    store: Arc<Optimistic<S>>,
    before: Result<(), NewerFormat>,
    failed_before: Option<StoreError>,
}

/// The watch over the mark of this store.
pub(super) fn watch<S: VersionedStore>(store: Arc<Optimistic<S>>) -> Box<dyn FormatWatch> {
    Box::new(Mark {
        store,
        before: Ok(()),
        failed_before: None,
    })
}

/// Keeps reading the mark.
pub(super) async fn look_forever(mut watch: Box<dyn FormatWatch>) {
    loop {
        sleep(READ_EVERY).await;
        watch.look().await;
    }
}

impl<S: VersionedStore> FormatWatch for Mark<S> {
    fn look(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Ok(now) = self.store.look_at_format().await else {
                return;
            };
            if now != self.before {
                log(now);
                self.before = now;
            }
            let failed = self.store.raise_format().await.err();
            if let Some(error) = failed.as_ref().filter(|_| failed != self.failed_before) {
                tracing::warn!(
                    %error,
                    "the format of the store cannot be raised to store.format: what needs the \
                     newer format is refused until it can"
                );
            }
            self.failed_before = failed;
        })
    }
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
