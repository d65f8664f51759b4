//! Helpers for work that a restart spreads over all cores.

use std::thread::{ScopedJoinHandle, available_parallelism};

/// How many threads to use.
pub(crate) fn workers() -> usize {
    available_parallelism().map_or(1, |cores| cores.get().min(8))
}

/// The result of a thread. Its panic goes on in this one.
pub(crate) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
