//! Fatal failures of the disk: the store stops acknowledging and stays stopped.
//!
//! After a failed fsync it is unknown what is on disk, and the kernel may have dropped the pages: a
//! second fsync would succeed and lie. So nothing is retried. Waiting calls get "outcome unknown",
//! later calls are refused, and the process is told to exit. The next start finds out what is on
//! disk.

use std::io;
use std::sync::Arc;

/// The failure that ended the store.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing} failed: {cause}")]
pub struct FatalError {
    /// The operation, such as `writing to log-0000000000000001.sg`.
    pub doing: String,
    /// What the operating system said.
    pub cause: Arc<io::Error>,
    /// Whether the data directory or a file of it has disappeared, and acknowledged data perhaps
    /// with it. After any other failure, what was acknowledged with [`DurabilityMode::Fsync`] is on
    /// disk.
    ///
    /// [`DurabilityMode::Fsync`]: crate::DurabilityMode::Fsync
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

    /// Whether the disk is full. That may be retried for a file that nothing depends on yet; a
    /// failed sync of the log never is.
    pub(crate) fn is_full(&self) -> bool {
        is_full(&self.cause)
    }
}

/// Whether the disk or the quota is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Called once, on a thread of the store, when it has failed. The binary logs and exits.
pub type OnFatal = Arc<dyn Fn(FatalError) + Send + Sync>;

/// Adds the operation to an error of the operating system.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, FatalError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, FatalError> {
        self.map_err(|cause| FatalError::new(what(), cause))
    }
}
