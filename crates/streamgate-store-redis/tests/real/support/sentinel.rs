//! A primary, a replica and three sentinels.

use std::fs;

use super::server::Server;
use super::{Flavour, eventually};

/// How long sentinels wait before they call a primary down, in milliseconds.
const DOWN_AFTER_MS: u32 = 1_000;

pub(crate) struct Sentinel {
    /// The primary of the beginning first.
    pub(crate) servers: Vec<Server>,
    pub(crate) sentinels: Vec<Server>,
}

impl Sentinel {
    pub(crate) async fn start() -> Self {
        let primary = Server::start(Flavour::Redis, &["--repl-diskless-sync-delay", "0"]).await;
        let port = primary.port.to_string();
        let follows = ["--replicaof", "127.0.0.1", port.as_str()];
        let replica = Server::start(Flavour::Redis, &follows).await;
        eventually("the replica is in step", 20, async || {
            let info: String = primary.ask(&["INFO", "replication"]);
            info.contains("state=online").then_some(())
        })
        .await;
        let servers = vec![primary, replica];
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(start_sentinel(&port, &[]).await);
        }
        let sentinel = Self { servers, sentinels };
        sentinel.sees_all().await;
        sentinel
    }

    /// Sentinels hear of each other and of the replica from the primary, after a while.
    async fn sees_all(&self) {
        eventually("the sentinels know each other", 20, async || {
            let all = self.sentinels.iter().all(|sentinel| {
                let about = sentinel.ask::<Vec<String>>(&["SENTINEL", "MASTER", "main"]);
                let is = |name: &str, value: &str| {
                    let mut pairs = about.chunks(2);
                    pairs.any(|pair| pair[0] == name && pair[1] == value)
                };
                is("num-slaves", "1") && is("num-other-sentinels", "2")
            });
            all.then_some(())
        })
        .await;
    }

    pub(crate) fn url(&self) -> String {
        self.url_of("main")
    }

    pub(crate) fn url_of(&self, name: &str) -> String {
        let addresses: Vec<String> = self.sentinels.iter().map(Server::address).collect();
        format!("redis+sentinel://{}/{name}", addresses.join(","))
    }
}

/// Starts a sentinel that watches a primary, as `main`; `more` are lines of its configuration.
pub(crate) async fn start_sentinel(primary_port: &str, more: &[&str]) -> Server {
    Server::start_with(Flavour::Redis, |port, directory| {
        let mut lines = vec![
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", directory.display()),
            format!("sentinel monitor main 127.0.0.1 {primary_port} 2"),
            format!("sentinel down-after-milliseconds main {DOWN_AFTER_MS}"),
            "sentinel failover-timeout main 5000".to_owned(),
        ];
        lines.extend(more.iter().map(|line| (*line).to_owned()));
        // It writes what it learns into its configuration, so that is a file.
        let file = directory.join("sentinel.conf");
        fs::write(&file, lines.join("\n")).unwrap();
        let arguments = vec![file.to_str().unwrap().to_owned(), "--sentinel".to_owned()];
        (arguments, format!("redis://127.0.0.1:{port}"))
    })
    .await
}
