//! Three primaries with a replica each.

use std::net::TcpListener;

use tempfile::TempDir;

use super::{DOWN_AFTER_MS, Topology, addresses, ask, has_replicas, server};
use crate::nodes::eventually;
use crate::nodes::process::Process;

/// The slots of the three primaries.
const SLOTS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

impl Topology {
    /// Starts them, and waits until every slot is served.
    pub(crate) fn cluster() -> Self {
        let dir = TempDir::new().unwrap();
        let mut primaries: Vec<Process> = (0..3).map(|_| member(&dir)).collect();
        let mut replicas: Vec<Process> = (0..3).map(|_| member(&dir)).collect();
        for (i, (primary, (first, last))) in primaries.iter().zip(SLOTS).enumerate() {
            let _: () = ask(primary, &["CLUSTER", "ADDSLOTSRANGE", first, last]);
            let epoch = (i + 1).to_string();
            let _: () = ask(primary, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        let members = || primaries.iter().chain(&replicas);
        for other in members().skip(1) {
            let (port, bus) = (other.port.to_string(), bus_of(other));
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus];
            let _: () = ask(&primaries[0], &meet);
        }
        let all_say = |line: &str| members().all(|member| info(member).contains(line));
        eventually("all have met", || all_say("cluster_known_nodes:6"));
        for (replica, primary) in replicas.iter().zip(&primaries) {
            let id: String = ask(primary, &["CLUSTER", "MYID"]);
            let _: () = ask(replica, &["CLUSTER", "REPLICATE", &id]);
        }
        eventually("the cluster is whole", || all_say("cluster_state:ok"));
        eventually("the replicas are in step", || {
            primaries.iter().all(|primary| has_replicas(primary, 1))
        });
        let url = format!("redis+cluster://{}", addresses(&primaries));
        let (primary, replica) = (primaries.remove(1), replicas.remove(1));
        Self {
            name: "Cluster",
            url,
            primary: Some(primary),
            replicas: vec![replica],
            _others: primaries.into_iter().chain(replicas).collect(),
            _dir: dir,
        }
    }
}

/// Starts a member that knows no other yet.
fn member(dir: &TempDir) -> Process {
    server(dir, |port| {
        // Members talk to each other on a second port.
        let bus = TcpListener::bind("127.0.0.1:0").unwrap();
        let bus = bus.local_addr().unwrap().port().to_string();
        let file = format!("nodes-{port}.conf");
        let arguments = [
            ["--cluster-enabled", "yes"],
            ["--cluster-port", &bus],
            ["--cluster-config-file", &file],
            ["--cluster-node-timeout", DOWN_AFTER_MS],
            // While a part is away, the others go on.
            ["--cluster-require-full-coverage", "no"],
            // However long it has not heard of its primary, a replica may take over.
            ["--cluster-replica-validity-factor", "0"],
        ];
        arguments.concat().into_iter().map(str::to_owned).collect()
    })
}

fn bus_of(member: &Process) -> String {
    let setting: Vec<String> = ask(member, &["CONFIG", "GET", "cluster-port"]);
    setting[1].clone()
}

fn info(member: &Process) -> String {
    ask(member, &["CLUSTER", "INFO"])
}
