//! Redis servers that stand in for each other: a primary watched by sentinels, and a cluster.

use std::fs;
use std::time::Duration;

use streamgate_clock::Stopwatch;

use super::{Flavour, Redis, free_port};
use crate::wait::eventually;

/// How long a server is missed before it is called down, in milliseconds.
const DOWN_AFTER_MS: &str = "1000";

/// After this time servers of a cluster that have not met are asked to once more.
const MEET_AGAIN: Duration = Duration::from_secs(5);

/// A replica that asks is served at once.
const AT_ONCE: [&str; 2] = ["--repl-diskless-sync-delay", "0"];

/// The slots of the three primaries of a cluster.
const SLOTS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

/// Three primaries with a replica each.
#[derive(Debug)]
pub struct Cluster {
    /// The initial primaries, then their replicas in the same order.
    pub servers: Vec<Redis>,
}

impl Cluster {
    /// Starts the servers and waits until every slot is served and every replica is in step.
    pub fn start(flavour: Flavour) -> Self {
        let mut servers = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..6 {
            let bus = free_port().to_string();
            let arguments = [
                ["--cluster-enabled", "yes"],
                ["--cluster-port", &bus],
                ["--cluster-node-timeout", DOWN_AFTER_MS],
                // While a part is away, the others go on.
                ["--cluster-require-full-coverage", "no"],
                // However long it has not heard of its primary, a replica may take over.
                ["--cluster-replica-validity-factor", "0"],
                AT_ONCE,
            ];
            servers.push(Redis::start(flavour, arguments.as_flattened()));
            buses.push(bus);
        }
        let (primaries, replicas) = servers.split_at(3);
        for (i, (primary, (first, last))) in primaries.iter().zip(SLOTS).enumerate() {
            let _: () = primary.ask(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
            let epoch = (i + 1).to_string();
            let _: () = primary.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        let meet = || {
            for (server, bus) in servers.iter().zip(&buses).skip(1) {
                let port = server.port.to_string();
                let _: () = servers[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
            }
            Stopwatch::start()
        };
        let all_say = |line: &str| {
            let info = |server: &Redis| server.ask::<String>(&["CLUSTER", "INFO"]);
            servers.iter().all(|server| info(server).contains(line))
        };
        let mut since = meet();
        eventually("all have met", || {
            // On a busy machine a handshake may take longer than servers wait for it, and they do
            // not repeat it.
            if since.elapsed() > MEET_AGAIN {
                since = meet();
            }
            all_say("cluster_known_nodes:6")
        });
        for (replica, primary) in replicas.iter().zip(primaries) {
            let id: String = primary.ask(&["CLUSTER", "MYID"]);
            let _: () = replica.ask(&["CLUSTER", "REPLICATE", &id]);
        }
        eventually("the cluster is whole", || all_say("cluster_state:ok"));
        eventually("the replicas are in step", || {
            primaries.iter().all(|primary| primary.has_replicas(1))
        });
        Self { servers }
    }

    /// The URL with the initial primaries as seeds.
    pub fn url(&self) -> String {
        format!("redis+cluster://{}", addresses(&self.servers[..3]))
    }
}

/// A primary, its replicas and three sentinels.
#[derive(Debug)]
pub struct Sentinel {
    /// The initial primary, then its replicas.
    pub servers: Vec<Redis>,
    /// What watches them as `main`.
    pub sentinels: Vec<Redis>,
}

impl Sentinel {
    /// Starts the servers and waits until the replicas are in step and the sentinels know all.
    pub fn start(replicas: usize) -> Self {
        let primary = Redis::start(Flavour::Redis, &AT_ONCE);
        let port = primary.port;
        let mut servers = vec![primary];
        for _ in 0..replicas {
            let follows = ["--replicaof", "127.0.0.1", &port.to_string()];
            servers.push(Redis::start(Flavour::Redis, &follows));
        }
        eventually("the replicas are in step", || {
            servers[0].has_replicas(replicas)
        });
        let sentinels: Vec<Redis> = (0..3).map(|_| Self::watching(port, &[])).collect();
        let knows_all = |sentinel: &Redis| {
            let about: Vec<String> = sentinel.ask(&["SENTINEL", "MASTER", "main"]);
            let is = |name: &str, value: &str| about.chunks(2).any(|pair| pair == [name, value]);
            is("num-slaves", &replicas.to_string()) && is("num-other-sentinels", "2")
        };
        eventually("the sentinels know all", || sentinels.iter().all(knows_all));
        Self { servers, sentinels }
    }

    /// Starts one sentinel that watches the primary on this port as `main`. `more` are lines of its
    /// configuration.
    pub fn watching(primary_port: u16, more: &[&str]) -> Redis {
        Redis::start_with(Flavour::Redis, |port, directory| {
            let lines = [
                format!("port {port}"),
                "bind 127.0.0.1".to_owned(),
                format!("dir {}", directory.display()),
                format!("sentinel monitor main 127.0.0.1 {primary_port} 2"),
                format!("sentinel down-after-milliseconds main {DOWN_AFTER_MS}"),
                "sentinel failover-timeout main 5000".to_owned(),
            ];
            // A sentinel writes what it learns into its configuration, so that is a file.
            let file = directory.join("sentinel.conf");
            fs::write(
                &file,
                format!("{}\n{}\n", lines.join("\n"), more.join("\n")),
            )
            .unwrap();
            vec![file.display().to_string(), "--sentinel".to_owned()]
        })
    }

    /// The URL of the primary by its name `main`.
    pub fn url(&self) -> String {
        self.url_of("main")
    }

    /// The URL of a primary by this name.
    pub fn url_of(&self, name: &str) -> String {
        format!("redis+sentinel://{}/{name}", addresses(&self.sentinels))
    }
}

/// The addresses of all, as a URL has them.
fn addresses(servers: &[Redis]) -> String {
    let all: Vec<String> = servers.iter().map(Redis::address).collect();
    all.join(",")
}
