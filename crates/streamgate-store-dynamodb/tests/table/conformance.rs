//! The suite that every store must pass, each test on a server of its own.

use std::sync::Arc;

use streamgate_clock::{Clock, SystemClock};
use streamgate_core::Moment;
use streamgate_store::Store;
use streamgate_store::versioned::Optimistic;
use streamgate_testkit::Process;

/// Keeps the server for as long as the store, which is all that a test of the suite has.
#[derive(Debug)]
struct ClockOf {
    clock: SystemClock,
    _server: Process,
}

impl Clock for ClockOf {
    fn now(&self) -> Moment {
        self.clock.now()
    }
}

async fn open() -> Arc<dyn Store> {
    let server = crate::support::server_with_table().await;
    let store = crate::support::connect(&crate::support::config(&server.url())).await;
    let clock = ClockOf {
        clock: SystemClock::new(),
        _server: server,
    };
    Arc::new(Optimistic::new(store.with_clock(Arc::new(clock))))
}

streamgate_store::conformance_suite!(open);
