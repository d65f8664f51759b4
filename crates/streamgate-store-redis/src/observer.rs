//! Hearing what the probe finds, for metrics. Nothing decides by it.

use std::fmt;

/// Hears what is found of the servers, each few seconds.
pub trait ServerObserver: Send + Sync + fmt::Debug + 'static {
    /// The primaries have evicted so many keys since they were asked before.
    fn evicted(&self, keys: u64);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoServerObserver;

impl ServerObserver for NoServerObserver {
    fn evicted(&self, _keys: u64) {}
}
