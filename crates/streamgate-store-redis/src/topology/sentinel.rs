//! A primary that sentinels watch: who it is, they say; that it is one, it says itself.

use parking_lot::Mutex;
use redis::Value;
use redis::aio::MultiplexedConnection;

use super::listed;
use crate::connect::Connector;
use crate::link::within;
use crate::reason::Reason;
use crate::url::Address;

/// Knows how to find the primary.
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
    confidant: Mutex<Option<MultiplexedConnection>>,
}

impl Sentinels {
    pub(super) fn new(
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
            confidant: Mutex::new(None),
        }
    }

    /// Asks one sentinel after the other until one names a server that says it is the primary.
    pub(super) async fn connect(&self) -> Result<(MultiplexedConnection, Address), Reason> {
        *self.confidant.lock() = None;
        let mut reasons = Vec::new();
        let sentinels = self.sentinels.lock().clone();
        for (at, sentinel) in sentinels.iter().enumerate() {
            match self.connect_by(sentinel).await {
                Ok(found) => {
                    // Those that are down or behind the times need not be asked again first.
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
        let mut confidant = self.asking.connect(sentinel).await?;
        let asked = self.ask(&mut confidant);
        let named = within(self.connector.connect_timeout, asked)
            .await
            .map_err(|why| why.at(sentinel))?;
        let Some(address) = named else {
            let name = &self.primary_name;
            // Sentinels that are just starting know none.
            let words = format!("{sentinel} knows no primary named {name:?}");
            return Err(Reason::passing(words));
        };
        let mut connection = self.connector.connect(&address).await?;
        within(
            self.connector.connect_timeout,
            says_primary(&mut connection),
        )
        .await
        .map_err(|why| why.at(&address))?;
        *self.confidant.lock() = Some(confidant);
        Ok((connection, address))
    }

    /// Whether the server is a primary, and the one that the sentinels mean. One that was cut off
    /// still believes it is; then the sentinels know better.
    pub(super) async fn check(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), Reason> {
        within(self.connector.response_timeout, says_primary(connection)).await?;
        let confidant = self.confidant.lock().clone();
        let named = match confidant {
            Some(mut confidant) => {
                within(self.connector.connect_timeout, self.ask(&mut confidant)).await
            }
            None => Err(Reason::passing("no sentinel is connected")),
        };
        match named {
            Ok(Some(named)) if named != *address => {
                let words = format!("the sentinels name {named} as the primary now");
                Err(Reason::passing(words))
            }
            Ok(_) => Ok(()),
            Err(_) => {
                // The primary is well; only its watchers are not all there. Another may be.
                self.find_confidant().await;
                Ok(())
            }
        }
    }

    async fn find_confidant(&self) {
        *self.confidant.lock() = None;
        self.sentinels.lock().rotate_left(1);
        let next = self.sentinels.lock().first().cloned();
        if let Some(next) = next {
            *self.confidant.lock() = self.asking.connect(&next).await.ok();
        }
    }

    /// Whom a sentinel calls the primary; `None` where it knows none of that name.
    async fn ask(&self, sentinel: &mut MultiplexedConnection) -> Result<Option<Address>, Reason> {
        let named: Option<(String, u16)> = redis::cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(&self.primary_name)
            .query_async(sentinel)
            .await
            .map_err(|error| Reason::of(&error))?;
        Ok(named.map(|(host, port)| Address::new(&host, port)))
    }
}

/// Whether a server says that it is a primary.
async fn says_primary(connection: &mut MultiplexedConnection) -> Result<(), Reason> {
    let role: Vec<Value> = redis::cmd("ROLE")
        .query_async(connection)
        .await
        .map_err(|error| Reason::of(&error))?;
    match role.first() {
        Some(Value::BulkString(role)) if role == b"master" => Ok(()),
        _ => Err(Reason::passing("it is not a primary now")),
    }
}
