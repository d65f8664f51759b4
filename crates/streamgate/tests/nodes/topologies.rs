//! Redis servers of which one primary will be killed: watched by sentinels, or in a cluster.

use streamgate_testkit::{Cluster, Flavour, Redis, Sentinel};

/// Servers of which one is going to die.
pub(crate) struct Topology {
    kind: Kind,
    /// What it is, for people.
    pub(crate) name: &'static str,
    /// What nodes are told.
    pub(crate) url: String,
    /// The one that is going to die.
    primary: Redis,
    /// Those that have what it has.
    replicas: Vec<Redis>,
    /// All others: the sentinels, or the rest of the cluster.
    others: Vec<Redis>,
}

/// What decides that a primary is down.
#[derive(Clone, Copy)]
enum Kind {
    Sentinel,
    Cluster,
}

impl Topology {
    /// A primary, two replicas and three sentinels.
    pub(crate) fn sentinel() -> Self {
        let started = Sentinel::start(2);
        let url = started.url();
        let mut servers = started.servers;
        Self {
            kind: Kind::Sentinel,
            name: "Sentinel",
            url,
            primary: servers.remove(0),
            replicas: servers,
            others: started.sentinels,
        }
    }

    /// Three primaries with a replica each.
    pub(crate) fn cluster() -> Self {
        let started = Cluster::start(Flavour::Redis);
        let url = started.url();
        let mut servers = started.servers;
        // The replica of the second primary is the second of the replicas.
        let replica = servers.remove(4);
        Self {
            kind: Kind::Cluster,
            name: "Cluster",
            url,
            primary: servers.remove(1),
            replicas: vec![replica],
            others: servers,
        }
    }

    /// The users whose records are on the primary.
    pub(crate) fn users_of_primary(&self) -> Vec<String> {
        let names: Vec<Vec<u8>> = self.primary.ask(&["KEYS", "*"]);
        // A name is `prefix:{tenant NUL user}`.
        let users = names.iter().filter_map(|name| {
            let name = std::str::from_utf8(name).unwrap().strip_suffix('}')?;
            Some(name.split_once('\0')?.1.to_owned())
        });
        users.collect()
    }

    /// From now on nothing that the primary does reaches its replicas.
    pub(crate) fn cut_off_replicas(&self) {
        for replica in &self.replicas {
            replica.freeze();
        }
        let closed: usize = self.primary.ask(&["CLIENT", "KILL", "TYPE", "replica"]);
        assert_eq!(closed, self.replicas.len());
    }

    /// Kills the primary with SIGKILL; its replicas find out by themselves.
    pub(crate) fn kill_primary(&mut self) {
        self.primary.kill();
        for replica in &self.replicas {
            replica.thaw();
        }
    }

    /// From now on no server takes over from another: on a busy machine the new primary can be late
    /// enough for that, and another replica may not have yet what it has acknowledged.
    pub(crate) fn fail_over_no_more(&self) {
        const NEVER_MS: &str = "600000";
        let down_after = [
            "SENTINEL",
            "SET",
            "main",
            "down-after-milliseconds",
            NEVER_MS,
        ];
        let node_timeout = ["CONFIG", "SET", "cluster-node-timeout", NEVER_MS];
        for other in &self.others {
            let () = match self.kind {
                Kind::Sentinel => other.ask(&down_after),
                Kind::Cluster => other.ask(&node_timeout),
            };
        }
    }

    /// Whether one of the replicas is the primary now, and has the others.
    pub(crate) fn are_failed_over(&self) -> bool {
        let others = self.replicas.len() - 1;
        self.replicas
            .iter()
            .any(|replica| replica.took_over(others))
    }
}
