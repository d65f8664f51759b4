//! Reports for metrics: one call per commit, none per record.

use std::time::Duration;

/// Receives reports of the log and the disk. Called on the store's own threads: it must be quick.
pub trait LogObserver: Send + Sync + 'static {
    /// A batch was written, and synced if the durability mode demands it.
    fn committed(&self, records: usize, bytes: usize, took: Duration) {
        let _ = (records, bytes, took);
    }

    /// The disk has become full, or has room again.
    fn full(&self, is_full: bool) {
        let _ = is_full;
    }

    /// A snapshot is in place and the log before it is gone.
    fn snapshot_written(&self, records: u64, bytes: u64, took: Duration) {
        let _ = (records, bytes, took);
    }
}

/// Ignores all reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLogObserver;

impl LogObserver for NoLogObserver {}
