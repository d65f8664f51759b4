//! Discovery of a primary through sentinels: they name its address, and the server itself must
//! confirm the role.

use std::time::Duration;

use parking_lot::Mutex;
use redis::Value;
use redis::aio::MultiplexedConnection;

use super::connector::Connector;
use super::target::listed;
use super::timeout::query;
use crate::reason::Reason;
use crate::url::Address;

/// Finds the primary of one name.
#[derive(Debug)]
pub(crate) struct Sentinels {
    /// The one that answered last is first.
    sentinels: Mutex<Vec<Address>>,
    /// Connects to sentinels.
    asking: Connector,
    primary_name: String,
    /// Connects to the primary.
    connector: Connector,
    /// The connection to the sentinel that answered last.
    sentinel_connection: Mutex<Option<MultiplexedConnection>>,
}

impl Sentinels {
    pub(crate) fn new(
        sentinels: Vec<Address>,
        asking: Connector,
        primary_name: String,
        connector: Connector,
    ) -> Self {
        Self {
            sentinels: Mutex::new(sentinels),
            asking,
            primary_name,
            connector,
            sentinel_connection: Mutex::new(None),
        }
    }

    /// Asks one sentinel after the other until one names a server that says it is the primary.
    pub(super) async fn connect(&self) -> Result<(MultiplexedConnection, Address), Reason> {
        *self.sentinel_connection.lock() = None;
        let mut reasons = Vec::new();
        let sentinels = self.sentinels.lock().clone();
        for (at, sentinel) in sentinels.iter().enumerate() {
            match self.connect_by(sentinel).await {
                Ok(found) => {
                    // Sentinels that are down or stale need not be asked first again.
                    self.sentinels.lock().rotate_left(at);
                    return Ok(found);
                }
                Err(why) => reasons.push(why),
            }
        }
        let name = &self.primary_name;
        let sentinels = listed(&sentinels);
        let who = format!("no primary {name:?} by the sentinels {sentinels}");
        Err(Reason::all(&reasons).at(who))
    }

    async fn connect_by(
        &self,
        sentinel: &Address,
    ) -> Result<(MultiplexedConnection, Address), Reason> {
        let mut sentinel_connection = self.asking.connect(sentinel).await?;
        let named = self.ask(&mut sentinel_connection).await;
        let named = named.map_err(|why| why.at(sentinel))?;
        let Some(address) = named else {
            let name = &self.primary_name;
            // Sentinels that are just starting know none.
            let words = format!("{sentinel} knows no primary named {name:?}");
            return Err(Reason::transient(words));
        };
        let mut connection = self.connector.connect(&address).await?;
        let is_primary = says_primary(&mut connection, self.connector.connect_timeout).await;
        is_primary.map_err(|why| why.at(&address))?;
        *self.sentinel_connection.lock() = Some(sentinel_connection);
        Ok((connection, address))
    }

    /// Checks that the server is a primary, and the one that the sentinels name: a primary that was
    /// cut off still believes it is one.
    pub(super) async fn check(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), Reason> {
        says_primary(connection, self.connector.response_timeout).await?;
        let sentinel_connection = self.sentinel_connection.lock().clone();
        let named = match sentinel_connection {
            Some(mut sentinel_connection) => self.ask(&mut sentinel_connection).await,
            None => Err(Reason::transient("no sentinel is connected")),
        };
        match named {
            Ok(Some(named)) if named != *address => {
                let words = format!("the sentinels name {named} as the primary now");
                Err(Reason::transient(words))
            }
            Ok(_) => Ok(()),
            Err(_) => {
                // The primary is well; only this sentinel is away. Another may be there.
                self.connect_next_sentinel().await;
                Ok(())
            }
        }
    }

    async fn connect_next_sentinel(&self) {
        *self.sentinel_connection.lock() = None;
        self.sentinels.lock().rotate_left(1);
        let next = self.sentinels.lock().first().cloned();
        if let Some(next) = next {
            *self.sentinel_connection.lock() = self.asking.connect(&next).await.ok();
        }
    }

    /// The address that a sentinel has for the primary; `None` if it knows no such name.
    async fn ask(&self, sentinel: &mut MultiplexedConnection) -> Result<Option<Address>, Reason> {
        let mut question = redis::cmd("SENTINEL");
        question
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(&self.primary_name);
        let time = self.connector.connect_timeout;
        let named: Option<(String, u16)> = query(sentinel, &question, time).await?;
        Ok(named.map(|(host, port)| Address::new(&host, port)))
    }
}

/// Checks that a server says that it is a primary.
async fn says_primary(
    connection: &mut MultiplexedConnection,
    time: Duration,
) -> Result<(), Reason> {
    let role: Vec<Value> = query(connection, &redis::cmd("ROLE"), time).await?;
    match role.first() {
        Some(Value::BulkString(role)) if role == b"master" => Ok(()),
        _ => Err(Reason::transient("it is not a primary now")),
    }
}
