//! Opening the store, and what happens when the embedded one fails.

use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::{Clock, StallRule, SystemClock};
use streamgate_core::Policy;
use streamgate_server::Metrics;
use streamgate_store::Store;
use streamgate_store::versioned::Optimistic;
use streamgate_store_embedded::{EmbeddedConfig, EmbeddedStore, FatalError, LogObserver};
use streamgate_store_redis::{
    CurrentCertificates, OpenError, RedisSettings, RedisStore, ServerObserver,
};

use super::{away, format};
use crate::config::Settings;
use crate::config::sections::store::StoreSettings;
use crate::exit::{self, Code, Failure};
use crate::{dynamodb, store_errors};

/// Tells the metrics what the store wrote.
struct Commits(Arc<Metrics>);

impl LogObserver for Commits {
    fn committed(&self, records: usize, bytes: usize, took: Duration) {
        self.0.observe_commit(records, bytes, took);
    }

    fn full(&self, is_full: bool) {
        self.0.set_store_full(is_full);
    }
}

/// Tells the metrics what was found of the servers.
#[derive(Debug)]
struct Servers(Arc<Metrics>);

impl ServerObserver for Servers {
    fn evicted(&self, keys: u64) {
        self.0.observe_evicted(keys);
    }
}

/// A store, and what it already holds.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    /// The clock of this node.
    pub(super) clock: Arc<SystemClock>,
    /// How many sessions were live at the last stop, where this process is the only one to know.
    pub(super) live_sessions: u64,
    /// What connections to the servers show and trust, where they use TLS.
    pub(super) certificates: Option<CurrentCertificates>,
}

/// A store on servers, which may not be there yet.
pub(crate) struct Started {
    pub(crate) store: Arc<dyn Store>,
    /// Why it cannot be used yet, where that is so.
    pub(crate) away: Option<String>,
}

/// Opens the store of the settings. Called on the runtime, which keeps connections.
///
/// Servers that cannot be reached are waited for, because the process can start before them and
/// come up again while they are away. Servers that answer no stop the start: they would say the
/// same a minute later, and whoever starts the process hears it now.
pub(super) async fn open(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Opened, Failure> {
    let clock = clock(settings)?;
    let (started, certificates) = match &settings.store {
        StoreSettings::Embedded(config) => return open_embedded(config, clock, metrics),
        StoreSettings::Redis(config) => {
            let (started, certificates) = start_redis(config, &settings.policy, metrics).await?;
            (started, config.wants_tls().then_some(certificates))
        }
        StoreSettings::DynamoDb(table) => {
            let of_store = Arc::clone(&clock) as Arc<_>;
            (dynamodb::start(table, of_store).await?, None)
        }
    };
    if let Some(why) = &started.away {
        away::wait_for(&started.store, why);
    }
    Ok(Opened {
        store: started.store,
        clock,
        // What other nodes share, none of them can count.
        live_sessions: 0,
        certificates,
    })
}

async fn start_redis(
    config: &RedisSettings,
    policy: &Policy,
    metrics: &Arc<Metrics>,
) -> Result<(Started, CurrentCertificates), Failure> {
    let unusable = |error: OpenError| {
        match error {
        // It says what to do itself.
        OpenError::Evicts(_) => Failure::new(Code::Store, error.to_string()),
        error => Failure::new(Code::Store, error.to_string()).hint(
            "check store.url (the user, the password, what they may do, and which kind of server it \
             is), and with rediss the certificates (store.tls_ca_file, store.tls_cert_file)",
        )
    }
    };
    let observer: Arc<dyn ServerObserver> = Arc::new(Servers(Arc::clone(metrics)));
    let config = RedisSettings {
        stall_rule: StallRule::of(policy),
        ..config.clone()
    };
    let store = RedisStore::start_observed(&config, &observer).map_err(unusable)?;
    let away = match store.prove().await {
        Ok(()) => None,
        Err(OpenError::Unavailable(why)) => Some(why),
        Err(error) => return Err(unusable(error)),
    };
    let certificates = store.certificates();
    let store = Arc::new(Optimistic::new(store));
    format::guard(&store).await?;
    let started = Started { store, away };
    Ok((started, certificates))
}

/// The clock of this node. There is one, so that a stall and a step are logged once.
fn clock(settings: &Settings) -> Result<Arc<SystemClock>, Failure> {
    let clock = match &settings.store {
        // Other nodes count the same leases by their clocks.
        StoreSettings::DynamoDb(_) => SystemClock::on_the_wall(&settings.policy),
        StoreSettings::Embedded(_) | StoreSettings::Redis(_) => {
            SystemClock::for_leases(&settings.policy)
        }
    };
    clock.start().map_err(|error| {
        Failure::new(
            Code::Problem,
            format!("no thread to read the clock: {error}"),
        )
    })
}

fn open_embedded(
    config: &EmbeddedConfig,
    clock: Arc<SystemClock>,
    metrics: &Arc<Metrics>,
) -> Result<Opened, Failure> {
    let of_store: Arc<dyn Clock> = Arc::clone(&clock) as Arc<_>;
    let observer = Arc::new(Commits(Arc::clone(metrics)));
    let store = EmbeddedStore::open(config.clone(), of_store, observer, Arc::new(give_up))
        .map_err(|error| store_errors::failure(&error))?;
    let live_sessions = store.recovered().live_sessions;
    Ok(Opened {
        store: Arc::new(store),
        clock,
        live_sessions,
        certificates: None,
    })
}

/// The disk has failed. Nothing can be acknowledged any more, and nobody knows what is on disk
/// until it is read anew: only a new start can do that.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the store hands the error over"
)]
fn give_up(error: FatalError) {
    let exit_code = Code::Store as i32;
    if error.gone {
        tracing::error!(
            %error,
            exit_code,
            "the data directory, or a part of it, is gone; exiting. What was acknowledged may be gone \
             with it: find out where it is (renamed, unmounted, cleaned up) before starting again, \
             because a start in an empty directory begins with nothing"
        );
    } else {
        tracing::error!(
            %error,
            exit_code,
            "the store has failed; exiting. What was acknowledged is safe; check the disk, then start \
             again"
        );
    }
    exit::now(Code::Store);
}
