//! The connection pool of one server.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::supervised::SupervisedConnection;
use super::target::Target;
use crate::server_clock::ServerClock;
use crate::settings::RedisSettings;

/// The size of a pool whose commits wait for replicas: `WAIT` blocks everything behind it on its
/// connection.
const SIZE_WITH_WAITS: usize = 16;

/// Connections to one server, used in turn.
#[derive(Debug)]
pub(crate) struct ConnectionPool {
    connections: Box<[SupervisedConnection]>,
    next: AtomicUsize,
    /// An estimate of the server's time.
    pub(crate) clock: ServerClock,
}

impl ConnectionPool {
    /// How many connections a server gets: one carries many calls at once, unless they wait for
    /// replicas.
    pub(crate) fn size(settings: &RedisSettings) -> usize {
        if settings.wait_replicas == 0 {
            1
        } else {
            SIZE_WITH_WAITS
        }
    }

    /// Begins to connect.
    pub(crate) fn start(size: usize, clock: ServerClock, target: impl Fn() -> Target) -> Self {
        Self {
            connections: (0..size)
                .map(|_| SupervisedConnection::start(target()))
                .collect(),
            next: AtomicUsize::new(0),
            clock,
        }
    }

    /// The first connection, which tells where the server is.
    pub(crate) const fn first(&self) -> &SupervisedConnection {
        &self.connections[0]
    }

    /// The next connection in turn.
    pub(crate) fn next(&self) -> &SupervisedConnection {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.connections[next % self.connections.len()]
    }
}
