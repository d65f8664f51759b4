//! What the store and its threads have in common.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::config::EmbeddedConfig;
use crate::disk::Disk;
use crate::fatal::{FatalError, OnFatal};
use crate::log::prepare::Ready;
use crate::log::queue::Queue;
use crate::observer::CommitObserver;
use crate::table::Table;

/// What the store and its threads have in common.
pub(crate) struct Shared {
    /// The settings, within bounds.
    pub(crate) config: EmbeddedConfig,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) table: Table,
    pub(crate) queue: Queue,
    /// Segments made ahead.
    pub(crate) ready: Ready,
    pub(crate) observer: Arc<dyn CommitObserver>,
    pub(crate) on_fatal: OnFatal,
    /// A snapshot is being written.
    pub(crate) snapshot_running: AtomicBool,
}

impl Shared {
    /// Stops acknowledging for good, and says so once.
    pub(crate) fn fail(&self, error: FatalError) {
        if !self
            .queue
            .fail(format!("{error}; the store has stopped acknowledging"))
        {
            return;
        }
        self.ready.stop();
        tracing::error!(%error, "the store failed");
        (self.on_fatal)(error);
    }
}
