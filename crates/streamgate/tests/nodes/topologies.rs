//! Redis servers of which one primary will be killed: watched by sentinels, or in a cluster.

use streamgate_testkit::{Cluster, Flavour, Redis, Sentinel};

/// Servers of which one is going to die.
pub(crate) struct Topology {
    /// What it is, for people.
    pub(crate) name: &'static str,
    /// What nodes are told.
    pub(crate) url: String,
    /// The one that is going to die.
    primary: Redis,
    /// Those that have what it has.
    replicas: Vec<Redis>,
    /// All others.
    _others: Vec<Redis>,
}

impl Topology {
    /// A primary, two replicas and three sentinels.
    pub(crate) fn sentinel() -> Self {
        let started = Sentinel::start(2);
        let url = started.url();
        let mut servers = started.servers;
        Self {
            name: "Sentinel",
            url,
            primary: servers.remove(0),
            replicas: servers,
            _others: started.sentinels,
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
            name: "Cluster",
            url,
            primary: servers.remove(1),
            replicas: vec![replica],
            _others: servers,
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

    /// Whether one of the replicas is the primary now, and has the others.
    pub(crate) fn are_failed_over(&self) -> bool {
        let others = self.replicas.len() - 1;
        self.replicas
            .iter()
            .any(|replica| replica.took_over(others))
    }
}
