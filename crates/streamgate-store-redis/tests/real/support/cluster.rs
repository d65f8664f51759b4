//! Three primaries with a replica each.

use super::server::{Server, free_port};
use super::{Flavour, eventually};

/// How long a server is missed before it is called down, in milliseconds.
const NODE_TIMEOUT_MS: &str = "1000";

pub(crate) struct Cluster {
    /// The primaries of the beginning, then their replicas in the same order.
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    pub(crate) async fn start(flavour: Flavour) -> Self {
        let mut servers = Vec::new();
        for _ in 0..6 {
            let bus = free_port().to_string();
            let arguments = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                bus.as_str(),
                "--cluster-node-timeout",
                NODE_TIMEOUT_MS,
                // While a part is away, the others go on.
                "--cluster-require-full-coverage",
                "no",
                // However long it has not heard of its primary, a replica may take over.
                "--cluster-replica-validity-factor",
                "0",
                "--repl-diskless-sync-delay",
                "0",
            ];
            let server = Server::start(flavour, &arguments).await;
            servers.push((server, bus));
        }
        let ranges = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for ((server, _), (first, last)) in servers.iter().zip(ranges) {
            let _: String = server.ask(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        }
        for (i, (server, _)) in servers.iter().enumerate() {
            let epoch = (i + 1).to_string();
            let _: String = server.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        let first = &servers[0].0;
        for (server, bus) in &servers[1..] {
            let port = server.port.to_string();
            let _: String = first.ask(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
        }
        let servers: Vec<Server> = servers.into_iter().map(|(server, _)| server).collect();
        let cluster = Self { servers };
        cluster.is_whole().await;
        cluster
    }

    async fn is_whole(&self) {
        let all = async |what: &str, is_so: &dyn Fn(&Server) -> bool, servers: &[Server]| {
            eventually(what, 30, async || servers.iter().all(is_so).then_some(())).await;
        };
        let says = |server: &Server, line: &str| {
            let info = server.ask::<String>(&["CLUSTER", "INFO"]);
            info.contains(line)
        };
        let knows_all = |server: &Server| says(server, "cluster_known_nodes:6");
        all("all have met", &knows_all, &self.servers).await;
        for (i, replica) in self.servers[3..].iter().enumerate() {
            let id: String = self.servers[i].ask(&["CLUSTER", "MYID"]);
            let _: String = replica.ask(&["CLUSTER", "REPLICATE", &id]);
        }
        let is_ok = |server: &Server| says(server, "cluster_state:ok");
        all("the cluster is ok", &is_ok, &self.servers).await;
        let replicates = |server: &Server| {
            let info = server.ask::<String>(&["INFO", "replication"]);
            info.contains("state=online")
        };
        all("replicas are in step", &replicates, &self.servers[..3]).await;
    }

    pub(crate) fn url(&self) -> String {
        let seeds: Vec<String> = self.servers[..3].iter().map(Server::address).collect();
        format!("redis+cluster://{}", seeds.join(","))
    }
}
