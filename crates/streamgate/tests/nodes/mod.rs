//! Several nodes over one store: one limit, whichever node is asked. The nodes are real processes,
//! and so is the server that they share.

mod away;
mod balancer;
mod batches;
mod clocks;
#[cfg(feature = "dynamodb")]
pub(crate) mod dynamodb;
mod example;
mod fail_open;
mod failover;
mod frozen;
mod linearizable;
mod notices;
mod peers;
mod race;
mod refusing;
mod rolling;
mod sharing;
mod spoiled;
mod tls;
mod topologies;
mod versions;

use std::net::SocketAddr;

use streamgate_testkit::{Flavour, Redis, Server, run};
use tempfile::TempDir;

/// Nodes that share a store.
struct Nodes {
    servers: Vec<Server>,
    /// Nothing is written there; a node would look for its data in it.
    _dir: TempDir,
}

impl Nodes {
    /// So many nodes over this server; `arguments` go to each.
    fn over(redis: &Redis, count: usize, arguments: &[&str]) -> Self {
        Self::over_url(&redis.url(), count, arguments)
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

/// A backup of a node over a store on a server is refused, and the refusal names what to use.
fn backup_is_elsewhere(node: &Server, means: &str) {
    let dir = TempDir::new().unwrap();
    let backup = dir.path().join("backup");
    let url = node.url();
    let arguments = ["store", "backup", backup.to_str().unwrap(), "--url", &url];
    let said = run(&arguments).failed(1);
    assert!(
        said.contains("backup_elsewhere") && said.contains(means),
        "{said}"
    );
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "nothing is left");
}

/// Starts a Redis server that keeps nothing.
fn redis() -> Redis {
    Redis::start(Flavour::Redis, &[])
}
