//! Opening the embedded store, and what happens when it fails.

use std::sync::Arc;
use std::time::Duration;

use streamgate_core::codec::decode_ledger;
use streamgate_server::Metrics;
use streamgate_store::{Clock, Store, View};
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

/// Records looked at in one go.
const SLICE_RECORDS: usize = 1_000;

/// Tells the metrics how many sessions were recovered. Events count from there on, so this comes
/// before the first request.
pub(super) async fn count_live_sessions(
    store: &dyn Store,
    metrics: &Metrics,
) -> Result<(), Failure> {
    let mut live = 0_u64;
    let mut cursor = None;
    loop {
        let mut step = |view: View<'_>| {
            // A record that cannot be read is reported by whoever asks for it.
            let ledger = view.record.and_then(|record| decode_ledger(record).ok());
            live += ledger.map_or(0, |ledger| ledger.live.len() as u64);
            None
        };
        let swept = store.sweep(cursor.as_ref(), SLICE_RECORDS, &mut step);
        cursor = swept
            .await
            .map_err(|error| Failure::new(Code::Store, error.to_string()))?
            .next;
        if cursor.is_none() {
            metrics.set_live_sessions(live);
            return Ok(());
        }
    }
}
