//! Panics: a fault of the program ends the request it happened in, not the service.
//!
//! A step of the engine changes nothing until it has returned, so a panic within it leaves the
//! record as it was. Without the threads of the store nothing can be acknowledged, so a panic of
//! one of them ends the process, as a failing disk does.

use std::panic::{PanicHookInfo, set_hook};
use std::sync::Arc;

use streamgate_server::Metrics;

use crate::exit::{self, Code};

/// The prefix of the names of the embedded store's threads.
const STORE_THREADS: &str = "sg-";

/// Sends panics to the log, in one line, and counts them, from now on.
pub(crate) fn report(metrics: &Arc<Metrics>) {
    let metrics = Arc::clone(metrics);
    set_hook(Box::new(move |panic| {
        metrics.observe_panic();
        log(panic);
    }));
}

fn log(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("unnamed");
    let location = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let why = panic.payload_as_str().unwrap_or("no reason given");
    tracing::error!(
        thread = name,
        location,
        error = why,
        "a fault of Streamgate; please report this line"
    );
    if name.starts_with(STORE_THREADS) {
        tracing::error!(
            exit_code = Code::Store as i32,
            "the store cannot go on; exiting"
        );
        exit::now(Code::Store);
    }
}
