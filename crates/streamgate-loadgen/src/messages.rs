//! What the threads of a drive tell each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::load::Nanos;
use crate::record::Record;

/// Asks a drive, from another thread, to end early.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for the stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a thread reports while it runs.
#[derive(Debug)]
pub(crate) enum Message {
    /// A second has ended. One ends where the span begins.
    Second {
        number: u64,
        end: Nanos,
        record: Box<Record>,
    },
    /// The last message of a thread.
    Finished,
}
