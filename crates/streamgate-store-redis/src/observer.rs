//! An observer of the servers, for metrics. Nothing decides by it.

use std::fmt;

/// Hears what each probe finds.
pub trait ServerObserver: Send + Sync + fmt::Debug + 'static {
    /// The primaries have evicted this many keys since the probe before.
    fn evicted(&self, keys: u64);
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoServerObserver;

impl ServerObserver for NoServerObserver {
    fn evicted(&self, _keys: u64) {}
}
