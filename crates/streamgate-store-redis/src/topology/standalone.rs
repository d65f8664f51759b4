//! One server: a few connections side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::aio::MultiplexedConnection;

use super::Target;
use crate::link::Link;
use crate::reason::Reason;
use crate::reckoning::Reckoning;
use crate::settings::RedisSettings;

/// While one connection waits for replicas, nothing behind it is answered; so there are several.
const LANES_THAT_WAIT: usize = 16;

/// Connections to one server.
#[derive(Debug)]
pub(crate) struct Lanes {
    links: Box<[Link]>,
    next: AtomicUsize,
    /// What time it is there.
    pub(crate) reckoning: Reckoning,
}

impl Lanes {
    /// How many a server gets: one carries many calls at once, unless they wait for replicas.
    pub(super) fn count(settings: &RedisSettings) -> usize {
        if settings.wait_replicas == 0 {
            1
        } else {
            LANES_THAT_WAIT
        }
    }

    /// Begins to connect.
    pub(super) fn start(count: usize, reckoning: Reckoning, target: impl Fn() -> Target) -> Self {
        Self {
            links: (0..count)
                .map(|_| Link::start(Arc::new(target())))
                .collect(),
            next: AtomicUsize::new(0),
            reckoning,
        }
    }

    /// The next of them in turn.
    pub(crate) fn link(&self) -> &Link {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.links[next % self.links.len()]
    }
}

/// Whether somebody answers.
pub(super) async fn ping(connection: &mut MultiplexedConnection) -> Result<(), Reason> {
    let answer = redis::cmd("PING").exec_async(connection).await;
    answer.map_err(|error| Reason::of(&error))
}
