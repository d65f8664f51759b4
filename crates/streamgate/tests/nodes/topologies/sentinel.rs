//! A primary, two replicas and three sentinels.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{DOWN_AFTER_MS, Topology, addresses, ask, has_replicas, server};
use crate::nodes::eventually;
use crate::nodes::process::Process;

impl Topology {
    /// Starts them, and waits until all know each other.
    pub(crate) fn sentinel() -> Self {
        let dir = TempDir::new().unwrap();
        let primary = server(&dir, |_| Vec::new());
        let replica_of = [
            "--replicaof".into(),
            "127.0.0.1".into(),
            primary.port.to_string(),
        ];
        let replicas = [0, 1].map(|_| server(&dir, |_| replica_of.to_vec()));
        eventually("the replicas are in step", || has_replicas(&primary, 2));
        let sentinels = [0, 1, 2].map(|_| sentinel(dir.path(), &primary));
        eventually("the sentinels know all", || sentinels.iter().all(knows_all));
        Self {
            name: "Sentinel",
            url: format!("redis+sentinel://{}/main", addresses(&sentinels)),
            primary: Some(primary),
            replicas: replicas.into(),
            _others: sentinels.into(),
            _dir: dir,
        }
    }
}

/// Starts a sentinel that watches this primary.
fn sentinel(dir: &Path, primary: &Process) -> Process {
    Process::start(|port| {
        let lines = [
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("sentinel monitor main 127.0.0.1 {} 2", primary.port),
            format!("sentinel down-after-milliseconds main {DOWN_AFTER_MS}"),
            "sentinel failover-timeout main 5000".to_owned(),
        ];
        // It writes what it learns into its configuration, so that is a file.
        let file = dir.join(format!("sentinel-{port}.conf"));
        fs::write(&file, lines.join("\n")).unwrap();
        let mut command = Command::new("redis-server");
        command.current_dir(dir).arg(file).arg("--sentinel");
        command
    })
}

/// Whether a sentinel has heard of both replicas and of both other sentinels.
fn knows_all(sentinel: &Process) -> bool {
    let about: Vec<String> = ask(sentinel, &["SENTINEL", "MASTER", "main"]);
    let is = |name: &str, value: &str| about.chunks(2).any(|pair| pair == [name, value]);
    is("num-slaves", "2") && is("num-other-sentinels", "2")
}
