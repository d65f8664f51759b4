//! Servers that stand in for each other: a primary watched by sentinels, and a cluster. Of each,
//! one primary is going to die.

mod cluster;
mod sentinel;

use std::process::Command;
use std::time::Duration;

use redis::FromRedisValue;
use tempfile::TempDir;

use crate::nodes::process::Process;

/// How long a server may take to answer on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a server is missed before it is called down, in milliseconds.
const DOWN_AFTER_MS: &str = "1000";

/// Servers of which one is going to die.
pub(crate) struct Topology {
    /// What it is, for people.
    pub(crate) name: &'static str,
    /// What nodes are told.
    pub(crate) url: String,
    /// The one that is going to die; `None` once it has.
    primary: Option<Process>,
    /// Those that have what it has.
    replicas: Vec<Process>,
    /// All others.
    _others: Vec<Process>,
    /// Where those that need a file have it.
    _dir: TempDir,
}

impl Topology {
    /// The users whose records are on the primary.
    pub(crate) fn users_of_primary(&self) -> Vec<String> {
        let primary = self.primary.as_ref().expect("it lives");
        let names: Vec<Vec<u8>> = ask(primary, &["KEYS", "*"]);
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
        let primary = self.primary.as_ref().expect("it lives");
        let closed: usize = ask(primary, &["CLIENT", "KILL", "TYPE", "replica"]);
        assert_eq!(closed, self.replicas.len());
    }

    /// Kills the primary with SIGKILL; its replicas find out by themselves.
    pub(crate) fn kill_primary(&mut self) {
        drop(self.primary.take());
        for replica in &self.replicas {
            replica.thaw();
        }
    }
}

/// Starts a server that keeps nothing.
fn server(dir: &TempDir, arguments: impl Fn(u16) -> Vec<String>) -> Process {
    Process::start(|port| {
        let mut command = Command::new("redis-server");
        command
            .current_dir(dir.path())
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(["--repl-diskless-sync-delay", "0"])
            .args(arguments(port));
        command
    })
}

/// What a server answers to a command.
pub(crate) fn ask<T: FromRedisValue>(server: &Process, command: &[&str]) -> T {
    let client = redis::Client::open(("127.0.0.1", server.port)).unwrap();
    let mut connection = client.get_connection_with_timeout(PATIENCE).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = redis::cmd(command[0]);
    request.arg(&command[1..]);
    request.query(&mut connection).unwrap()
}

/// Whether so many replicas of a server have all that it has.
fn has_replicas(server: &Process, count: usize) -> bool {
    let info: String = ask(server, &["INFO", "replication"]);
    info.matches("state=online").count() == count
}

/// `127.0.0.1:PORT`.
fn address(server: &Process) -> String {
    format!("127.0.0.1:{}", server.port)
}

/// The addresses of all, as a URL has them.
fn addresses(servers: &[Process]) -> String {
    let all: Vec<String> = servers.iter().map(address).collect();
    all.join(",")
}
