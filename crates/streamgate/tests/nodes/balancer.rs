//! HAProxy in front of nodes, with the configuration that docs/operating.md recommends.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use streamgate_testkit::{Process, call, repository};
use tempfile::TempDir;

/// A balancer that runs.
pub(crate) struct Balancer {
    process: Process,
    _dir: TempDir,
}

impl Balancer {
    /// Starts one in front of three nodes.
    pub(crate) fn before(nodes: &[SocketAddr; 3]) -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("haproxy.cfg");
        let recommended = recommended();
        let process = Process::start(|port| {
            fs::write(&file, adapted(&recommended, port, nodes)).unwrap();
            let mut command = Command::new("/usr/sbin/haproxy");
            command.arg("-db").arg("-f").arg(&file);
            command
        });
        Self { process, _dir: dir }
    }

    /// Where clients call.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.process.port))
    }

    /// Whether it sends requests to the node of this number, counted from 0.
    pub(crate) fn uses(&self, node: usize) -> bool {
        let table = call(self.address(), "GET", "/balancer;csv", None, None).text;
        let mut lines = table.lines();
        let names = lines.next().unwrap_or_default();
        let at = |name: &str| {
            let mut names = names.trim_start_matches("# ").split(',');
            names.position(|known| known == name).expect(name)
        };
        let (server, status) = (at("svname"), at("status"));
        let name = format!("node{}", node + 1);
        let line = lines.find(|line| line.split(',').nth(server) == Some(&name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {table}"));
        line.split(',').nth(status) == Some("UP")
    }
}

/// The configuration in the operator's guide.
fn recommended() -> String {
    let guide = fs::read_to_string(repository("docs/operating.md")).unwrap();
    let (_, rest) = guide.split_once("```haproxy\n").expect("it has one");
    let (lines, _) = rest.split_once("```").expect("it ends");
    lines.to_owned()
}

/// The same for these nodes on this machine, and with checks that follow each other quickly, so
/// that a test need not wait for them. An answer may take longer than that: the machine is busy.
fn adapted(recommended: &str, port: u16, nodes: &[SocketAddr; 3]) -> String {
    let mut adapted = format!(
        "{recommended}\n    timeout check 10s\n    stats enable\n    stats uri /balancer\n"
    );
    let mut replace = |from: &str, to: &str| {
        assert_eq!(adapted.matches(from).count(), 1, "{from} in {adapted}");
        adapted = adapted.replace(from, to);
    };
    replace("bind :80", &format!("bind 127.0.0.1:{port}"));
    replace("inter 1s", "inter 100ms");
    for (i, node) in nodes.iter().enumerate() {
        replace(&format!("10.0.0.{}:8080", i + 1), &node.to_string());
    }
    adapted
}
