//! Several nodes over one store: one limit, whichever node is asked. The nodes are real processes,
//! and so is the server that they share.

mod away;
mod balancer;
mod batches;
mod clocks;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod example;
mod fail_open;
mod failover;
mod frozen;
mod linearizable;
mod process;
mod proxy;
mod race;
mod refusing;
mod rolling;
mod sharing;
mod spoiled;
mod tls;
mod topologies;
mod versions;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use tempfile::TempDir;

use self::process::Process;
use crate::support::Server;

/// Nodes that share a store.
struct Nodes {
    servers: Vec<Server>,
    /// Nothing is written there; a node would look for its data in it.
    _dir: TempDir,
}

impl Nodes {
    /// So many nodes over this server; `arguments` go to each.
    fn over(redis: &Process, count: usize, arguments: &[&str]) -> Self {
        Self::over_url(
            &format!("redis://127.0.0.1:{}", redis.port),
            count,
            arguments,
        )
    }

    /// So many nodes over the store of this URL.
    fn over_url(url: &str, count: usize, arguments: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let url = format!("store.url={url}");
        let arguments = [&["--set", url.as_str()], arguments].concat();
        let servers = (0..count)
            .map(|_| Server::start_with(dir.path(), &arguments))
            .collect();
        Self { servers, _dir: dir }
    }

    /// Where they listen.
    fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.address).collect()
    }
}

/// Starts a Redis server that keeps nothing.
fn redis() -> Process {
    Process::start(redis_on)
}

/// A Redis server that keeps nothing, on this port.
fn redis_on(port: u16) -> Command {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"]);
    command
}

/// Lets another process get on before it is asked again. Whoever asks has a deadline.
#[expect(
    clippy::disallowed_methods,
    reason = "servers of others do not say when they are ready"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Waits until something is so, as it must be within a minute even on a loaded machine.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = Stopwatch::start();
    while !is_so() {
        assert!(waited.elapsed() < Duration::from_secs(60), "not so: {what}");
        pause();
    }
}
