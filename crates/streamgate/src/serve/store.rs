//! Opening the embedded store, and what happens when it fails.

use std::sync::Arc;
use std::time::Duration;

use streamgate_server::Metrics;
use streamgate_store::Clock;
use streamgate_store_embedded::{CommitObserver, EmbeddedStore, FatalError};

use crate::config::Settings;
use crate::exit::{Code, Failure};
use crate::store_errors;

/// Tells the metrics what the store wrote.
struct Commits(Arc<Metrics>);

impl CommitObserver for Commits {
    fn committed(&self, records: usize, bytes: usize, took: Duration) {
        self.0.observe_commit(records, bytes, took);
    }
}

/// Opens the store of the settings.
pub(super) fn open(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> Result<Arc<EmbeddedStore>, Failure> {
    let observer = Arc::new(Commits(Arc::clone(metrics)));
    EmbeddedStore::open(settings.store.clone(), clock, observer, Arc::new(give_up))
        .map(Arc::new)
        .map_err(|error| store_errors::failure(&error))
}

/// The disk has failed. Nothing can be acknowledged any more, and nobody knows what is on disk
/// until it is read anew: only a new start can do that.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the store hands the error over"
)]
fn give_up(error: FatalError) {
    tracing::error!(
        %error,
        exit_code = Code::Store as i32,
        "the store has failed; exiting. What was acknowledged is safe; check disk and free space, \
         then start again"
    );
    std::process::exit(Code::Store as i32);
}
