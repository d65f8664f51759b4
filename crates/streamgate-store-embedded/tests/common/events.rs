//! An observer and a failure hook that tests can wait on.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_clock::Stopwatch;
use streamgate_store_embedded::{FatalError, LogObserver, OnFatal};

/// The longest that a test waits for an event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The segment that a new store prepares behind the first one.
pub(crate) const PREPARED: &str = "log-0000000000000002.sg";

/// Waits until `is_there` says that the prepared segment is. The preparer rests from then on.
pub(crate) fn until_prepared(is_there: impl Fn(&str) -> bool) {
    until_there(PREPARED, is_there);
}

/// The same for the prepared segment with this name.
pub(crate) fn until_there(name: &str, is_there: impl Fn(&str) -> bool) {
    let waited = Stopwatch::start();
    while !is_there(name) {
        assert!(waited.elapsed() < PATIENCE, "{name} is made");
        std::thread::yield_now();
    }
}

/// Sends every snapshot to a channel.
pub(crate) struct Snapshots(Mutex<Sender<u64>>);

impl Snapshots {
    pub(crate) fn new() -> (Arc<Self>, Receiver<u64>) {
        let (sender, receiver) = channel();
        (Arc::new(Self(Mutex::new(sender))), receiver)
    }
}

impl LogObserver for Snapshots {
    fn snapshot_written(&self, records: u64, _: u64, _: Duration) {
        let _ = self.0.lock().send(records);
    }
}

/// A hook that sends every failure to a channel.
pub(crate) fn failures() -> (OnFatal, Receiver<FatalError>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let hook = move |error| {
        let _ = sender.lock().send(error);
    };
    (Arc::new(hook), receiver)
}
