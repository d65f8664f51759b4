//! Topologies: one primary (standalone, or found through sentinels), or a cluster. Routes a call to
//! the server that has its key.

mod cluster;
mod slots;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use streamgate_core::Moment;
use tokio::sync::watch;

use crate::call::{Call, Reply};
use crate::connection::{ConnectionPool, Connector, CurrentCertificates, Sentinels, Target};
use crate::failure::Failure;
use crate::keys;
use crate::reason::Reason;
use crate::server_clock::{CurrentStallRule, ServerClock};
use crate::settings::RedisSettings;
use crate::url::{Address, Location, Servers};

use cluster::Cluster;

/// Whether a call has been sent, so that it may have been done.
#[derive(Debug, Default)]
pub(crate) struct Sent(AtomicBool);

impl Sent {
    pub(crate) fn set(&self, sent: bool) {
        self.0.store(sent, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A server that takes writes, and the first of the slots it has.
#[derive(Debug, Clone)]
pub(crate) struct Primary {
    pub(crate) first_slot: u16,
    /// Its address; `None` if only its connections know it (standalone, Sentinel).
    pub(crate) address: Option<Address>,
    pub(crate) pool: Arc<ConnectionPool>,
}

/// The results of reading the map of a cluster.
pub(crate) type Readings = watch::Receiver<Option<Result<(), Reason>>>;

/// An answer and the server it came from.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// The server.
    pub(crate) by: Arc<ConnectionPool>,
}

/// All servers of a store.
#[derive(Debug)]
pub(crate) enum Topology {
    /// One primary for all keys.
    One(Arc<ConnectionPool>),
    Cluster(Cluster),
}

impl Topology {
    /// Begins to connect.
    pub(crate) fn start(
        settings: &RedisSettings,
        location: Location,
        certificates: &CurrentCertificates,
        rule: &CurrentStallRule,
    ) -> Self {
        let connector = Connector::to_primaries(settings, &location, certificates);
        let Location { servers, tls, .. } = location;
        let tls = tls.then_some(certificates);
        let pool_size = ConnectionPool::size(settings);
        let clock = || ServerClock::new(rule.clone(), None);
        match servers {
            Servers::Standalone(address) => {
                let target = || Target::Server(connector.clone(), address.clone());
                Self::One(Arc::new(ConnectionPool::start(pool_size, clock(), target)))
            }
            Servers::Sentinel {
                sentinels,
                primary_name,
            } => {
                let asking = Connector::new(settings, tls, &settings.sentinel_credentials, 0);
                let target = || {
                    let sentinels = sentinels.clone();
                    let (asking, connector) = (asking.clone(), connector.clone());
                    let name = primary_name.clone();
                    Target::Primary(Box::new(Sentinels::new(sentinels, asking, name, connector)))
                };
                Self::One(Arc::new(ConnectionPool::start(pool_size, clock(), target)))
            }
            Servers::Cluster(seeds) => {
                Self::Cluster(Cluster::start(connector, seeds, pool_size, rule.clone()))
            }
        }
    }

    /// Sends a call to the server that has its key. `sent` tells, whenever this is dropped or has
    /// failed, whether it may have been done.
    pub(crate) async fn send(&self, call: &Call<'_>, sent: &Sent) -> Result<Answer, Failure> {
        match self {
            Self::One(pool) => send_once(pool, call, false, sent).await,
            Self::Cluster(cluster) => cluster.send(call, sent).await,
        }
    }

    /// The estimated time of the server that has this key, if known.
    pub(crate) fn time_of(&self, key: impl FnOnce() -> Vec<u8>) -> Option<Moment> {
        match self {
            Self::One(pool) => pool.clock.now(),
            Self::Cluster(cluster) => cluster.time_of(keys::slot(&key())),
        }
    }

    /// All primaries, in the order of their slots.
    pub(crate) async fn primaries(&self) -> Result<Vec<Primary>, Reason> {
        match self {
            Self::One(pool) => Ok(vec![one(pool)]),
            Self::Cluster(cluster) => cluster.primaries().await,
        }
    }

    /// The server that has this key or channel, as far as it is known without asking.
    pub(crate) fn owner_of(&self, key: &[u8]) -> Option<Primary> {
        match self {
            Self::One(pool) => Some(one(pool)),
            Self::Cluster(cluster) => cluster.owner_of(keys::slot(key)),
        }
    }

    /// The first of the primaries, as far as it is known without asking.
    pub(crate) fn first_known(&self) -> Option<Primary> {
        match self {
            Self::One(pool) => Some(one(pool)),
            Self::Cluster(cluster) => cluster.first_known(),
        }
    }

    /// Changes whenever the map of a cluster was read; `None` if there is none.
    pub(crate) fn readings(&self) -> Option<Readings> {
        match self {
            Self::One(_) => None,
            Self::Cluster(cluster) => Some(cluster.readings()),
        }
    }

    /// Has the topology refreshed soon, because calls fail.
    pub(crate) fn suspect(&self) {
        if let Self::Cluster(cluster) = self {
            cluster.refresh_soon();
        }
    }
}

/// The one primary for all keys.
fn one(pool: &Arc<ConnectionPool>) -> Primary {
    Primary {
        first_slot: 0,
        address: None,
        pool: Arc::clone(pool),
    }
}

async fn send_once(
    pool: &Arc<ConnectionPool>,
    call: &Call<'_>,
    asking: bool,
    sent: &Sent,
) -> Result<Answer, Failure> {
    let answer = pool.next().send(call, asking, || sent.set(true)).await;
    if !matches!(answer, Ok(_) | Err(Failure::Lost(_))) {
        sent.set(false);
    }
    let by = Arc::clone(pool);
    answer.map(|reply| Answer { reply, by })
}
