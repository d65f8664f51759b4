//! How servers stand together, and how each kind is followed through failures.

mod cluster;
mod sentinel;
mod slots;
mod standalone;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::MultiplexedConnection;
use streamgate_core::Moment;

use crate::call::{Call, Reply};
use crate::certificates::CurrentCertificates;
use crate::connect::Connector;
use crate::failure::Failure;
use crate::keys;
use crate::link::within;
use crate::reason::Reason;
use crate::reckoning::Reckoning;
use crate::settings::RedisSettings;
use crate::url::{Address, Location, Servers};

use cluster::Cluster;
use sentinel::Sentinels;
pub(crate) use standalone::Lanes;

/// Where a link leads.
#[derive(Debug)]
pub(crate) enum Target {
    /// To this server, whatever it is.
    Server(Connector, Address),
    /// To whichever server the sentinels call the primary.
    Primary(Box<Sentinels>),
}

impl Target {
    /// Makes a connection, and says whose it is.
    pub(crate) async fn connect(&self) -> Result<(MultiplexedConnection, Address), Reason> {
        match self {
            Self::Server(connector, address) => {
                Ok((connector.connect(address).await?, address.clone()))
            }
            Self::Primary(sentinels) => sentinels.connect().await,
        }
    }

    /// Whether the connection still leads where it should.
    pub(crate) async fn check(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), Reason> {
        match self {
            Self::Server(connector, _) => {
                within(connector.response_timeout, standalone::ping(connection)).await
            }
            Self::Primary(sentinels) => sentinels.check(connection, address).await,
        }
    }
}

/// Whether a call has left, and may have been done.
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
    /// Where it is; `None` where that is known only by its connection.
    pub(crate) address: Option<Address>,
    pub(crate) lanes: Arc<Lanes>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// The server.
    pub(crate) by: Arc<Lanes>,
}

/// All servers of a store.
#[derive(Debug)]
pub(crate) enum Topology {
    /// One that takes writes, wherever it is by now.
    One(Arc<Lanes>),
    Cluster(Cluster),
}

impl Topology {
    /// Begins to connect.
    pub(crate) fn start(
        settings: &RedisSettings,
        location: Location,
        certificates: &CurrentCertificates,
    ) -> Self {
        let Location {
            servers,
            tls,
            credentials,
            database,
        } = location;
        let tls = tls.then_some(certificates);
        let connector = Connector::new(settings, tls, &credentials, database);
        let (lanes, rule) = (Lanes::count(settings), settings.stall_rule);
        let reckoning = || Reckoning::new(rule, None);
        match servers {
            Servers::Standalone(address) => {
                let target = || Target::Server(connector.clone(), address.clone());
                Self::One(Arc::new(Lanes::start(lanes, reckoning(), target)))
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
                Self::One(Arc::new(Lanes::start(lanes, reckoning(), target)))
            }
            Servers::Cluster(seeds) => Self::Cluster(Cluster::start(connector, seeds, lanes, rule)),
        }
    }

    /// Sends a call to the server that has its key. `sent` tells, whenever this is dropped or has
    /// failed, whether it may have been done.
    pub(crate) async fn send(&self, call: &Call<'_>, sent: &Sent) -> Result<Answer, Failure> {
        match self {
            Self::One(lanes) => send_once(lanes, call, false, sent).await,
            Self::Cluster(cluster) => cluster.send(call, sent).await,
        }
    }

    /// The time of the server that has this key, as far as it is known.
    pub(crate) fn reckoned(&self, key: impl FnOnce() -> Vec<u8>) -> Option<Moment> {
        match self {
            Self::One(lanes) => lanes.reckoning.now(),
            Self::Cluster(cluster) => cluster.reckoned(keys::slot(&key())),
        }
    }

    /// All that take writes, in the order of their slots.
    pub(crate) async fn primaries(&self) -> Result<Vec<Primary>, Reason> {
        match self {
            Self::One(lanes) => Ok(vec![Primary {
                first_slot: 0,
                address: None,
                lanes: Arc::clone(lanes),
            }]),
            Self::Cluster(cluster) => cluster.primaries().await,
        }
    }

    /// Calls fail: looks soon whether others have taken over.
    pub(crate) fn doubt(&self) {
        if let Self::Cluster(cluster) = self {
            cluster.refresh_soon();
        }
    }
}

async fn send_once(
    lanes: &Arc<Lanes>,
    call: &Call<'_>,
    asking: bool,
    sent: &Sent,
) -> Result<Answer, Failure> {
    let answer = lanes.link().send(call, asking, || sent.set(true)).await;
    if !matches!(answer, Ok(_) | Err(Failure::Lost(_))) {
        sent.set(false);
    }
    let by = Arc::clone(lanes);
    answer.map(|reply| Answer { reply, by })
}

/// The address that an error or a log may show for a list of them.
fn listed(addresses: &[Address]) -> String {
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    shown.join(", ")
}
