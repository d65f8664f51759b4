//! A cluster: a map of its slots, a connection pool for each primary, redirections followed.
//!
//! The cluster client of the `redis` crate is not used (ADR 0007): it retries calls whose answers
//! were lost, blocks calls to healthy servers while it reconnects to another, and can fail until it
//! is opened anew after all connections broke.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use redis::Value;
use streamgate_core::Moment;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::slots::SlotMap;
use super::{Answer, Primary, Readings, Sent, send_once};
use crate::call::Call;
use crate::connection::{Backoff, ConnectionPool, Connector, Target, listed, query, random_below};
use crate::failure::Failure;
use crate::keys;
use crate::reason::Reason;
use crate::server_clock::{CurrentStallRule, ServerClock};
use crate::url::Address;

/// How many redirections a call follows.
const REDIRECTIONS_MAX: u32 = 5;

/// How often the map is read even if no call asks for it.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// The shortest time between two readings, so that a failover causes no storm of them.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

/// A cluster as it is known now.
#[derive(Debug)]
pub(crate) struct Cluster {
    inner: Arc<Inner>,
    supervisor: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    connector: Connector,
    seeds: Vec<Address>,
    pool_size: usize,
    rule: CurrentStallRule,
    map: RwLock<Arc<SlotMap>>,
    nodes: Mutex<HashMap<Address, Arc<ConnectionPool>>>,
    /// The result of the last reading; `None` before the first.
    read: watch::Sender<Option<Result<(), Reason>>>,
    refresh: Notify,
}

impl Cluster {
    /// Begins to read the map.
    pub(super) fn start(
        connector: Connector,
        seeds: Vec<Address>,
        pool_size: usize,
        rule: CurrentStallRule,
    ) -> Self {
        let inner = Arc::new(Inner {
            connector,
            seeds,
            pool_size,
            rule,
            map: RwLock::default(),
            nodes: Mutex::default(),
            read: watch::Sender::new(None),
            refresh: Notify::new(),
        });
        let supervisor = tokio::spawn(keep(Arc::clone(&inner)));
        Self { inner, supervisor }
    }

    /// Sends a call to the server that has its key, wherever redirections lead.
    pub(super) async fn send(&self, call: &Call<'_>, sent: &Sent) -> Result<Answer, Failure> {
        let slot = keys::slot(call.key);
        let map = self.map().await.map_err(Failure::Refused)?;
        let Some(owner) = map.owner(slot) else {
            self.refresh_soon();
            // Without the slot: by it, one cause would fill the log with a line a user.
            let words = "no server has the slot of the key";
            return Err(Failure::Refused(Reason::transient(words)));
        };
        let mut pool = self.inner.node(owner);
        let mut asking = false;
        for _ in 0..REDIRECTIONS_MAX {
            let to = match send_once(&pool, call, asking, sent).await {
                Err(Failure::Moved(to)) => {
                    self.refresh_soon();
                    asking = false;
                    to
                }
                Err(Failure::Ask(to)) => {
                    asking = true;
                    to
                }
                Err(failure) => {
                    self.refresh_soon();
                    return Err(failure);
                }
                Ok(answer) => return Ok(answer),
            };
            pool = self.inner.redirected(&pool, &to);
        }
        let words = format!("the call was redirected {REDIRECTIONS_MAX} times");
        Err(Failure::Refused(Reason::transient(words)))
    }

    /// The estimated time of the server that has this slot, if known.
    pub(super) fn time_of(&self, slot: u16) -> Option<Moment> {
        let map = self.inner.map.read();
        let nodes = self.inner.nodes.lock();
        nodes.get(map.owner(slot)?)?.clock.now()
    }

    /// All primaries, in the order of their first slots.
    pub(super) async fn primaries(&self) -> Result<Vec<Primary>, Reason> {
        let map = self.map().await?;
        let primaries = map.primaries().into_iter();
        Ok(primaries
            .map(|(first_slot, address)| Primary {
                first_slot,
                address: Some(address.clone()),
                pool: self.inner.node(address),
            })
            .collect())
    }

    /// The server that has this slot, by the map as it was read last.
    pub(super) fn owner_of(&self, slot: u16) -> Option<Primary> {
        let map = Arc::clone(&self.inner.map.read());
        let address = map.owner(slot)?;
        Some(Primary {
            first_slot: slot,
            address: Some(address.clone()),
            pool: self.inner.node(address),
        })
    }

    /// The primary of the first slots, by the map as it was read last.
    pub(super) fn first_known(&self) -> Option<Primary> {
        let map = Arc::clone(&self.inner.map.read());
        let (first_slot, address) = map.primaries().into_iter().next()?;
        Some(Primary {
            first_slot,
            address: Some(address.clone()),
            pool: self.inner.node(address),
        })
    }

    /// The results of reading the map.
    pub(super) fn readings(&self) -> Readings {
        self.inner.read.subscribe()
    }

    /// Wakes the task that reads the map.
    pub(super) fn refresh_soon(&self) {
        self.inner.refresh.notify_one();
    }

    /// The map, waiting for the first reading. A stale map is used until a newer one is read.
    async fn map(&self) -> Result<Arc<SlotMap>, Reason> {
        let known = || Some(Arc::clone(&self.inner.map.read())).filter(|map| !map.is_empty());
        if let Some(map) = known() {
            return Ok(map);
        }
        let mut read = self.inner.read.subscribe();
        let first = read.wait_for(Option::is_some).await;
        let why = match first.as_deref() {
            Ok(Some(Err(why))) => why.clone(),
            _ => Reason::transient("the store is being closed"),
        };
        known().ok_or(why)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// Reads the map periodically and on request.
async fn keep(inner: Arc<Inner>) {
    let mut backoff = Backoff::new();
    loop {
        let read = inner.refresh().await;
        let pause = if read.is_ok() {
            backoff.reset();
            REFRESH_PAUSE
        } else {
            backoff.wait()
        };
        let failed = read.is_err();
        inner.read.send_replace(Some(read));
        tokio::time::sleep(pause).await;
        if !failed {
            // Whether asked or after a while: the next reading is the same.
            let _ = tokio::time::timeout(REFRESH_EVERY, inner.refresh.notified()).await;
        }
    }
}

impl Inner {
    /// The connections to a server, made where there are none yet.
    fn node(&self, address: &Address) -> Arc<ConnectionPool> {
        let mut nodes = self.nodes.lock();
        // It may take the place of any primary: of the one with the oldest answer, too.
        let before = || {
            let heard = nodes.values().filter_map(|pool| pool.clock.last_heard());
            heard.min()
        };
        let before = (!nodes.contains_key(address)).then(before).flatten();
        let pool = nodes.entry(address.clone()).or_insert_with(|| {
            let target = || Target::Server(self.connector.clone(), address.clone());
            Arc::new(ConnectionPool::start(
                self.pool_size,
                ServerClock::new(self.rule.clone(), before),
                target,
            ))
        });
        Arc::clone(pool)
    }

    /// The connections to the server that a redirection names. The slot moves or has moved there.
    fn redirected(&self, from: &ConnectionPool, to: &Address) -> Arc<ConnectionPool> {
        let pool = self.node(to);
        if let Some(before) = from.clock.last_heard() {
            pool.clock.takes_over(before);
        }
        pool
    }

    /// Replaces the map, and the servers with it.
    fn adopt(&self, map: SlotMap) {
        for (_, primary) in map.primaries() {
            self.node(primary);
        }
        let before = Arc::clone(&self.map.read());
        {
            let mut nodes = self.nodes.lock();
            for (from, to) in map.moves(&before) {
                let from = nodes.get(from).and_then(|pool| pool.clock.last_heard());
                if let (Some(from), Some(to)) = (from, nodes.get(to)) {
                    to.clock.takes_over(from);
                }
            }
            nodes.retain(|address, _| map.primaries().iter().any(|(_, p)| *p == address));
        }
        *self.map.write() = Arc::new(map);
    }

    /// Asks one server after the other for the map until one has it.
    async fn refresh(&self) -> Result<(), Reason> {
        let old = Arc::clone(&self.map.read());
        let mut servers: Vec<Address> = old.servers().cloned().collect();
        // A server that is cut off and stale must not be the first one every time.
        let count = servers.len() as u64;
        if let Ok(start) = usize::try_from(random_below(count.max(1))) {
            servers.rotate_left(start);
        }
        for seed in &self.seeds {
            if !servers.contains(seed) {
                servers.push(seed.clone());
            }
        }
        let mut reasons = Vec::new();
        for server in &servers {
            match self.ask(server).await {
                Ok(map) => {
                    self.adopt(map);
                    return Ok(());
                }
                Err(why) => reasons.push(why),
            }
        }
        let servers = listed(&servers);
        Err(Reason::all(&reasons).at(format!("no map of the cluster from {servers}")))
    }

    async fn ask(&self, server: &Address) -> Result<SlotMap, Reason> {
        let known = self.nodes.lock().get(server).cloned();
        let live = known.as_ref().and_then(|pool| pool.next().live_now());
        let mut connection = match live {
            Some(live) => live.connection,
            None => self.connector.connect(server).await?,
        };
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        let answer = query(&mut connection, &question, self.connector.connect_timeout).await;
        let answer: Value = answer.map_err(|why| why.at(server))?;
        match SlotMap::read(&answer, server) {
            Some(map) if !map.is_empty() => Ok(map),
            _ => Err(Reason::transient("it knows no servers that have slots").at(server)),
        }
    }
}

#[cfg(test)]
mod tests {
    use streamgate_clock::StallRule;
    use streamgate_core::Timestamp;

    use super::*;
    use crate::connection::CurrentCertificates;
    use crate::settings::RedisSettings;
    use crate::url;

    const AHEAD_MS: u64 = 60_000;

    /// Two primaries with half of the slots each; the clock of the second is a minute ahead.
    fn with_one_clock_ahead() -> (Inner, [Address; 2]) {
        let settings = RedisSettings::new("redis+cluster://127.0.0.1:1");
        let location = url::parse(&settings.url).unwrap();
        let certificates = CurrentCertificates::new(settings.tls.clone());
        let rule = StallRule {
            after_ms: 2_000,
            grace_ms: 6_000,
        };
        let inner = Inner {
            connector: Connector::to_primaries(&settings, &location, &certificates),
            seeds: Vec::new(),
            pool_size: 1,
            rule: CurrentStallRule::new(rule),
            map: RwLock::default(),
            nodes: Mutex::default(),
            read: watch::Sender::new(None),
            refresh: Notify::new(),
        };
        let primaries = [1, 2].map(|port| Address::new("127.0.0.1", port));
        let [right, ahead] = &primaries;
        inner.adopt(SlotMap::of(&[(0, 8_191, right), (8_192, 16_383, ahead)]));
        assert!(!stalls(&inner, right, 0) && !stalls(&inner, ahead, AHEAD_MS));
        (inner, primaries)
    }

    /// Whether the next answer of this primary tells of a stall.
    fn stalls(inner: &Inner, primary: &Address, ahead_ms: u64) -> bool {
        let time = Timestamp::from_millis(1_800_000_000_000 + ahead_ms);
        inner.node(primary).clock.heard(time).stall.is_some()
    }

    #[tokio::test]
    async fn a_slot_that_moves_to_a_primary_with_a_clock_ahead_is_a_stall_there() {
        let (inner, [right, ahead]) = with_one_clock_ahead();
        inner.adopt(SlotMap::of(&[(0, 8_192, &right), (8_193, 16_383, &ahead)]));
        assert!(!stalls(&inner, &right, 0), "its clock is behind");
        assert!(!stalls(&inner, &ahead, AHEAD_MS), "it gained no slot");
        inner.adopt(SlotMap::of(&[(0, 8_191, &right), (8_192, 16_383, &ahead)]));
        assert!(!stalls(&inner, &right, 0));
        assert!(stalls(&inner, &ahead, AHEAD_MS));
    }

    /// The call that is redirected is served before the map is read again.
    #[tokio::test]
    async fn a_redirection_to_a_primary_with_a_clock_ahead_is_a_stall_there() {
        let (inner, [right, ahead]) = with_one_clock_ahead();
        inner.redirected(&inner.node(&ahead), &right);
        assert!(!stalls(&inner, &right, 0));
        inner.redirected(&inner.node(&right), &ahead);
        assert!(stalls(&inner, &ahead, AHEAD_MS));
    }
}
