//! What the store tells whoever counts: one call a commit, none a record.

use std::time::Duration;

/// Is told what the store did. Called on the store's own threads: it must be quick.
pub trait LogObserver: Send + Sync + 'static {
    /// A batch was written, and synced where that is asked for.
    fn committed(&self, records: usize, bytes: usize, took: Duration) {
        let _ = (records, bytes, took);
    }

    /// The disk has no room for more, or has some again.
    fn full(&self, is_full: bool) {
        let _ = is_full;
    }

    /// A snapshot is in place and the log before it is gone.
    fn snapshot_written(&self, records: u64, bytes: u64, took: Duration) {
        let _ = (records, bytes, took);
    }
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLogObserver;

impl LogObserver for NoLogObserver {}
