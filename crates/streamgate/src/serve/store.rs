//! Opening the store, and what happens when the embedded one fails.

use std::sync::Arc;
use std::time::Duration;

use streamgate_server::Metrics;
use streamgate_store::versioned::Optimistic;
use streamgate_store::{Store, SystemClock};
use streamgate_store_embedded::{CommitObserver, EmbeddedConfig, EmbeddedStore, FatalError};
use streamgate_store_redis::RedisStore;

use crate::config::Settings;
use crate::config::sections::store::StoreSettings;
use crate::exit::{Code, Failure};
use crate::{dynamodb, store_errors};

/// Tells the metrics what the store wrote.
struct Commits(Arc<Metrics>);

impl CommitObserver for Commits {
    fn committed(&self, records: usize, bytes: usize, took: Duration) {
        self.0.observe_commit(records, bytes, took);
    }
}

/// A store, and what it already holds.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    /// How many sessions were live at the last stop, where this process is the only one to know.
    pub(super) live_sessions: u64,
}

/// Opens the store of the settings. Called on the runtime, which keeps connections.
pub(super) async fn open(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Opened, Failure> {
    match &settings.store {
        StoreSettings::Embedded(config) => open_embedded(config, metrics),
        StoreSettings::Redis(config) => {
            let store = RedisStore::open(config).await.map_err(|error| {
                Failure::new(Code::Store, error.to_string())
                    .hint("check store.url, and that the servers run and let this user in")
            })?;
            Ok(on_servers(Arc::new(Optimistic::new(store))))
        }
        StoreSettings::DynamoDb(table) => Ok(on_servers(dynamodb::open(table).await?)),
    }
}

fn open_embedded(config: &EmbeddedConfig, metrics: &Arc<Metrics>) -> Result<Opened, Failure> {
    let clock = Arc::new(SystemClock::new());
    let observer = Arc::new(Commits(Arc::clone(metrics)));
    let store = EmbeddedStore::open(config.clone(), clock, observer, Arc::new(give_up))
        .map_err(|error| store_errors::failure(&error))?;
    let live_sessions = store.recovered().live_sessions;
    Ok(Opened {
        store: Arc::new(store),
        live_sessions,
    })
}

/// A store that other nodes share: what they hold, none of them can count.
fn on_servers(store: Arc<dyn Store>) -> Opened {
    Opened {
        store,
        live_sessions: 0,
    }
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
