//! What happens when the disk fails: the store stops acknowledging for good.
//!
//! After a failed fsync nobody knows what is on disk, and the kernel may have thrown the pages
//! away: a second fsync would succeed and lie. So nothing is tried again. Whoever waits hears that
//! the outcome is unknown, later calls are refused, and the process is told to exit; what is on
//! disk is found out by the next start.

use std::io;
use std::sync::Arc;

/// The failure that ended the store.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing} failed: {cause}")]
pub struct FatalError {
    /// What was being done, such as `writing to log-0000000000000001.sg`.
    pub doing: String,
    /// What the operating system said.
    pub cause: Arc<io::Error>,
    /// The data directory, or a file of it, is not where it was: what was acknowledged may have gone
    /// with it. Of every other failure, what was acknowledged is on disk.
    pub gone: bool,
}

impl FatalError {
    pub(crate) fn new(doing: impl Into<String>, cause: io::Error) -> Self {
        Self {
            doing: doing.into(),
            cause: Arc::new(cause),
            gone: false,
        }
    }

    /// Whether there is no room, which passes. For a file that nothing rests on yet: a log that
    /// cannot be synced is never tried again.
    pub(crate) fn is_full(&self) -> bool {
        is_full(&self.cause)
    }
}

/// Whether the disk, or the quota, is used up.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Is called once, on a thread of the store, when it has failed. The binary logs and exits.
pub type OnFatal = Arc<dyn Fn(FatalError) + Send + Sync>;

/// Says what was being done when the operating system refused.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, FatalError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, FatalError> {
        self.map_err(|cause| FatalError::new(what(), cause))
    }
}
