//! Which subscription connection has which channel: one connection for all, or in a cluster that to
//! the primary which has the slot. Channels that are not sharded are on the connection to the first
//! primary, because a cluster sends what is published there to all its servers.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Context;
use super::subscription::{SubscriptionConnection, SubscriptionConnectionId};
use crate::topology::Primary;

/// The channels that are wanted, and the connections.
pub(super) struct Router {
    context: Arc<Context>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wanted: HashMap<Vec<u8>, Wanted>,
    connections: HashMap<SubscriptionConnectionId, SubscriptionConnection>,
}

struct Wanted {
    is_sharded: bool,
    /// The connection that has it; `None` if no server is known for it.
    connection: Option<SubscriptionConnectionId>,
    was_confirmed: bool,
}

impl Router {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            state: Mutex::default(),
        }
    }

    /// Subscribes to a channel. Of no effect if it is subscribed.
    pub(super) fn want(&self, name: &[u8], is_sharded: bool) {
        let mut state = self.state.lock();
        if !state.wanted.contains_key(name) {
            let wanted = Wanted {
                is_sharded,
                connection: None,
                was_confirmed: false,
            };
            state.wanted.insert(name.to_vec(), wanted);
            self.assign(&mut state, name);
        }
    }

    /// Ends a subscription.
    pub(super) fn unwant(&self, name: &[u8]) {
        let mut state = self.state.lock();
        let State {
            wanted,
            connections,
        } = &mut *state;
        if let Some(connection) = wanted.remove(name).and_then(|wanted| wanted.connection)
            && let Some(connection) = connections.get(&connection)
        {
            connection.channels().unwant(name);
        }
    }

    /// How many connections are up, and how many are not.
    pub(super) fn connections(&self) -> (u64, u64) {
        let state = self.state.lock();
        let up = state
            .connections
            .values()
            .filter(|connection| connection.is_up())
            .count();
        (up as u64, (state.connections.len() - up) as u64)
    }

    /// Follows the servers: the first connection is made, channels move where their slots are,
    /// connections to servers that are no primaries any more end.
    fn route(&self) {
        let first = self.context.topology.first_known();
        let mut state = self.state.lock();
        if let Some(first) = first {
            self.connection(&mut state, &first);
            let names: Vec<Vec<u8>> = state.wanted.keys().cloned().collect();
            for name in names {
                self.assign(&mut state, &name);
            }
            state
                .connections
                .retain(|id, connection| *id == first.address || !connection.channels().is_empty());
        }
    }

    /// Gives a channel to the connection that it belongs to.
    fn assign(&self, state: &mut State, name: &[u8]) {
        let Some(wanted) = state.wanted.get(name) else {
            return;
        };
        let topology = &self.context.topology;
        let owner = if wanted.is_sharded {
            topology.owner_of(name)
        } else {
            topology.first_known()
        };
        let Some(owner) = owner else {
            // It stays where it is, until the servers are known.
            return;
        };
        if wanted.connection.as_ref() == Some(&owner.address) {
            return;
        }
        let (is_sharded, before) = (wanted.is_sharded, wanted.connection.clone());
        let mut was_confirmed = wanted.was_confirmed;
        if let Some(connection) = before.and_then(|id| state.connections.get(&id)) {
            was_confirmed |= connection.channels().unwant(name);
        }
        let connection = self.connection(state, &owner);
        connection
            .channels()
            .want(name.to_vec(), is_sharded, was_confirmed);
        if let Some(wanted) = state.wanted.get_mut(name) {
            wanted.connection = Some(owner.address);
            wanted.was_confirmed = was_confirmed;
        }
    }

    /// The connection to a primary, made where there is none.
    fn connection<'a>(&self, state: &'a mut State, to: &Primary) -> &'a SubscriptionConnection {
        state
            .connections
            .entry(to.address.clone())
            .or_insert_with(|| {
                let topology = &self.context.topology;
                let is_there = |name: &Vec<u8>| {
                    let owner = topology.owner_of(name);
                    owner.is_some_and(|owner| owner.address == to.address)
                };
                let names = &self.context.names;
                let probe = (0..1_000_000).map(|n| names.probe(n)).find(is_there);
                let probe = probe.unwrap_or_else(|| names.probe(0));
                SubscriptionConnection::start(&self.context, Arc::clone(&to.pool), probe)
            })
    }
}

/// Follows the servers until dropped.
pub(super) async fn follow(router: Arc<Router>) {
    let mut readings = router.context.topology.readings();
    loop {
        router.route();
        // One primary for all never changes; the connections follow it.
        let Some(readings) = &mut readings else {
            return;
        };
        if readings.changed().await.is_err() {
            return;
        }
    }
}
