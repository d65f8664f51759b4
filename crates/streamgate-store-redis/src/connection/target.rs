//! The target of a connection, and whether the connection still leads to it.

use redis::aio::MultiplexedConnection;

use super::connector::Connector;
use super::sentinel::Sentinels;
use super::timeout::query;
use crate::reason::Reason;
use crate::url::Address;

/// What to connect to.
#[derive(Debug)]
pub(crate) enum Target {
    /// This server, whatever its role is.
    Server(Connector, Address),
    /// The server that the sentinels call the primary at the time of connecting.
    Primary(Box<Sentinels>),
}

impl Target {
    /// Makes a connection; returns it with the address it leads to.
    pub(super) async fn connect(&self) -> Result<(MultiplexedConnection, Address), Reason> {
        match self {
            Self::Server(connector, address) => {
                Ok((connector.connect(address).await?, address.clone()))
            }
            Self::Primary(sentinels) => sentinels.connect().await,
        }
    }

    /// Asks whether the connection works and still leads to this target.
    pub(super) async fn check(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), Reason> {
        match self {
            Self::Server(connector, _) => {
                query(connection, &redis::cmd("PING"), connector.response_timeout).await
            }
            Self::Primary(sentinels) => sentinels.check(connection, address).await,
        }
    }
}

/// The addresses as errors and logs show them.
pub(crate) fn listed(addresses: &[Address]) -> String {
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    shown.join(", ")
}
