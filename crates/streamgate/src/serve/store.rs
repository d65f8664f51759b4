//! Opening the store, and ending the process if the embedded one fails.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::{Clock, StallRule, SystemClock};
use streamgate_core::{Policy, Seconds};
use streamgate_server::{Metrics, Volume};
use streamgate_store::Store;
use streamgate_store_embedded::disk::{Disk as _, RealDisk};
use streamgate_store_embedded::{
    CommitWatch, DurabilityMode, EmbeddedConfig, EmbeddedStore, FatalError, LogObserver,
};
use streamgate_store_redis::{
    CurrentCertificates, CurrentStallRule, RedisSettings, RedisStore, ServerObserver,
};

use super::remote::{not_usable, start_remote};
use crate::config::Settings;
use crate::config::sections::store::StoreSettings;
use crate::exit::{self, Code, Failure};
use crate::{dynamodb, store_errors};

/// Reports batches of the embedded store to the metrics.
struct Commits(Arc<Metrics>);

impl LogObserver for Commits {
    fn committed(&self, records: usize, bytes: usize, took: Duration) {
        self.0.observe_commit(records, bytes, took);
    }

    fn full(&self, is_full: bool) {
        self.0.set_store_full(is_full);
    }
}

/// Reports the evictions of Redis servers to the metrics.
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
    /// How far the clocks of nodes may differ, if each counts leases by its own.
    pub(super) clock_skew: Seconds,
    /// How many sessions were live at the last stop; 0 if other nodes use the store as well.
    pub(super) live_sessions: u64,
    /// The certificates of connections to the servers, if they use TLS.
    pub(super) certificates: Option<CurrentCertificates>,
    /// By which a silence or a leap of a server's clock is a stall, if servers have the clock.
    pub(super) stall_rule: Option<CurrentStallRule>,
    /// A look at the commit writer of the embedded store.
    pub(super) commits: Option<CommitWatch>,
}

/// Opens the store of the settings. Called on the runtime, which keeps connections.
pub(super) async fn open(
    settings: &Settings,
    clock: Arc<SystemClock>,
    metrics: &Arc<Metrics>,
) -> Result<Opened, Failure> {
    let (remote, certificates, stall_rule) = match &settings.store {
        StoreSettings::Embedded(config) => return open_embedded(config, clock, metrics),
        StoreSettings::Redis(config) => {
            let store = redis(config, &settings.policy, metrics)?;
            let certificates = config.wants_tls().then(|| store.certificates());
            let stall_rule = store.stall_rule();
            let remote = start_remote(store, settings.store_format, CHECK_REDIS).await?;
            (remote, certificates, Some(stall_rule))
        }
        StoreSettings::DynamoDb(table) => {
            let of_store = Arc::clone(&clock) as Arc<_>;
            let format = settings.store_format;
            let remote = dynamodb::start(table, format, of_store, metrics).await?;
            (remote, None, None)
        }
    };
    let (store, clock_skew) = remote.watched();
    Ok(Opened {
        store,
        clock,
        clock_skew,
        // No node can count the sessions of a store that others share.
        live_sessions: 0,
        certificates,
        stall_rule,
        commits: None,
    })
}

/// What to check if Redis refuses.
const CHECK_REDIS: &str = "check store.url (the user, the password, what they may do, and which \
     kind of server it is), and with rediss the certificates (store.redis.tls_ca_file, \
     store.redis.tls_cert_file)";

fn redis(
    config: &RedisSettings,
    policy: &Policy,
    metrics: &Arc<Metrics>,
) -> Result<RedisStore, Failure> {
    let observer: Arc<dyn ServerObserver> = Arc::new(Servers(Arc::clone(metrics)));
    let config = RedisSettings {
        stall_rule: StallRule::of(policy),
        ..config.clone()
    };
    RedisStore::start_observed(&config, &observer)
        .map_err(|error| not_usable(&error.into(), CHECK_REDIS))
}

/// The clock of this node. There is one, so that a stall or a step is logged once.
pub(super) fn clock(settings: &Settings) -> Result<Arc<SystemClock>, Failure> {
    let clock = match settings.store {
        StoreSettings::Embedded(_) => SystemClock::for_leases(&settings.policy),
        StoreSettings::Redis(_) => SystemClock::beside_a_server(&settings.policy),
        StoreSettings::DynamoDb(_) => SystemClock::on_the_wall(&settings.policy),
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
    let durability = config.durability;
    let on_fatal = Arc::new(move |error| give_up(&error, durability));
    let store = EmbeddedStore::open(config.clone(), of_store, observer, on_fatal)
        .map_err(|error| store_errors::failure(&error))?;
    let live_sessions = store.recovered().live_sessions;
    let dir = config.dir.clone();
    metrics.watch_volume(Box::new(move || volume_of(&dir)));
    let commits = Some(store.commit_watch());
    Ok(Opened {
        store: Arc::new(store),
        clock,
        clock_skew: Seconds(0),
        live_sessions,
        certificates: None,
        stall_rule: None,
        commits,
    })
}

/// The volume of a data directory; `None` if the system does not tell.
fn volume_of(dir: &Path) -> Option<Volume> {
    let space = RealDisk::existing(dir).ok()?.space().ok()??;
    Some(Volume {
        size: space.total,
        free: space.free,
    })
}

/// Ends the process after the disk has failed: nothing more can be acknowledged, and the contents
/// of the disk are unknown until a new start reads them.
fn give_up(error: &FatalError, durability: DurabilityMode) {
    let exit_code = Code::Store as i32;
    if error.gone {
        tracing::error!(
            %error,
            exit_code,
            "the data directory, or a part of it, is gone; exiting. What was acknowledged may be \
             gone with it: find out where it is (renamed, unmounted, cleaned up) before starting \
             again, because a start in an empty directory begins with nothing"
        );
    } else if durability == DurabilityMode::Fsync {
        tracing::error!(
            %error,
            exit_code,
            "the store has failed; exiting. What was acknowledged is safe; check the disk, then \
             start again"
        );
    } else {
        tracing::error!(
            %error,
            exit_code,
            "the store has failed; exiting. What was acknowledged last may be lost, because \
             store.durability is not fsync; check the disk, then start again"
        );
    }
    exit::now(Code::Store);
}
