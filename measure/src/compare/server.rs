//! The servers that are compared: each a process of its own, fresh for every run, on a port of the
//! loopback address, with what it keeps in a directory that goes when it ends.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use clap::ValueEnum as _;
use serde::Deserialize;
use streamgate_loadgen::{ProcessMeter, Target};
use tempfile::TempDir;

use super::calls::Caller;
use crate::Result;
use crate::rivals::Rival;
use crate::servers::{end, free_port};

/// A kind of server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A server that decides nothing and keeps nothing.
    Bare(Rival),
    /// This build of Streamgate, with the embedded store and a key; all else as it comes.
    Streamgate(PathBuf),
    /// Redis, with this for `appendfsync`; without it, nothing goes to the disk.
    Redis(Option<&'static str>),
}

/// A server that runs. It ends with this.
pub(crate) struct Server {
    process: Process,
    /// Open as long as the server is, so that it can say what it wants.
    _stdout: BufReader<ChildStdout>,
    pub(crate) target: Target,
    pub(crate) caller: Caller,
    /// Goes after the process: fields are dropped in their order.
    _dir: TempDir,
}

/// A process that ends with this.
struct Process(Child);

/// What `streamgate key new --json` prints, as far as anybody wants to know.
#[derive(Deserialize)]
struct NewKey {
    key: String,
    sha256: String,
}

impl Server {
    /// Starts one below a directory, and waits until it takes requests.
    pub(crate) fn start(kind: &Kind, dir: &Path) -> Result<Self> {
        let dir = tempfile::tempdir_in(dir)?;
        match kind {
            Kind::Bare(rival) => {
                let word = rival.to_possible_value().ok_or("every rival has a name")?;
                let mut command = bare(&std::env::current_exe()?);
                command.args(["rival", word.get_name()]);
                Self::over_http(&mut command, dir, None)
            }
            Kind::Streamgate(binary) => Self::streamgate(binary, dir),
            Kind::Redis(appendfsync) => Self::redis(*appendfsync, dir),
        }
    }

    fn streamgate(binary: &Path, dir: TempDir) -> Result<Self> {
        let made = bare(binary)
            .args(["key", "new", "--json", "--name", "bench"])
            .output()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let NewKey { key, sha256 } = serde_json::from_slice(&made.stdout)
            .map_err(|error| format!("{} makes no key: {error}", binary.display()))?;
        let config = dir.path().join("streamgate.toml");
        let settings =
            format!("[[keys]]\nname = \"bench\"\nsha256 = \"{sha256}\"\nscope = \"player\"\n");
        std::fs::write(&config, settings)?;
        let mut command = bare(binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .arg("--data-dir")
            .arg(dir.path().join("data"));
        Self::over_http(&mut command, dir, Some(&key))
    }

    /// A server that says where it listens.
    fn over_http(command: &mut Command, dir: TempDir, key: Option<&str>) -> Result<Self> {
        let mut started = Started::of(command, &dir)?;
        let said = started.says("listening on http://")?;
        let address = said.split([' ', '/']).next().unwrap_or_default();
        let address: SocketAddr = address.parse()?;
        let target = Target::parse(&format!("http://{address}"))?;
        let caller = Caller::http(&target, key)?;
        Ok(started.serves(target, caller, dir))
    }

    fn redis(appendfsync: Option<&str>, dir: TempDir) -> Result<Self> {
        let port = free_port()?;
        let mut command = bare(Path::new(REDIS));
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--daemonize", "no"])
            .arg("--dir")
            .arg(dir.path());
        match appendfsync {
            None => command.args(["--appendonly", "no"]),
            // A log that is rewritten is so by a child, whose cost would be nobody's.
            Some(when) => command
                .args(["--appendonly", "yes", "--appendfsync", when])
                .args(["--auto-aof-rewrite-percentage", "0"]),
        };
        let mut started = Started::of(&mut command, &dir)?;
        started.says("Ready to accept connections")?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let caller = Caller::redis(&mut TcpStream::connect(address)?)?;
        // The load generator wants a URL; what is sent there is what the caller says.
        let target = Target::parse(&format!("http://{address}"))?;
        Ok(started.serves(target, caller, dir))
    }

    /// Reads what its process costs.
    pub(crate) fn meter(&self) -> Result<ProcessMeter> {
        Ok(ProcessMeter::of(self.process.0.id())?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// The program of Redis.
const REDIS: &str = "redis-server";

/// What version of Redis there is.
///
/// # Errors
///
/// Fails if there is none, and says where it is to be had.
pub(crate) fn redis_version() -> Result<String> {
    let output = bare(Path::new(REDIS)).arg("--version").output();
    let output = output.map_err(|error| {
        format!(
            "{REDIS} is missing ({error}): install the Debian package {REDIS} \
             (apt-get install {REDIS}), or name what is to be compared with --only"
        )
    })?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.split(' ').find_map(|word| word.strip_prefix("v="));
    Ok(version.ok_or("redis-server says no version")?.to_owned())
}

/// A program with nothing of this process's environment but the path: a variable that is set by
/// chance must not be taken for a setting.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default());
    command
}

/// A process that is about to be a server.
struct Started {
    process: Process,
    name: String,
    stdout: BufReader<ChildStdout>,
    /// What it complained of.
    complaints: PathBuf,
}

impl Started {
    fn of(command: &mut Command, dir: &TempDir) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let complaints = dir.path().join("stderr");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints)?)
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let stdout = child.stdout.take().expect("it is piped");
        Ok(Self {
            process: Process(child),
            name,
            stdout: BufReader::new(stdout),
            complaints,
        })
    }

    /// Reads until a line has these words; answers the rest of it.
    fn says(&mut self, words: &str) -> Result<String> {
        let mut said = String::new();
        let mut line = String::new();
        while self.stdout.read_line(&mut line)? > 0 {
            if let Some((_, after)) = line.split_once(words) {
                return Ok(after.trim_end().to_owned());
            }
            said += &line;
            line.clear();
        }
        said += &std::fs::read_to_string(&self.complaints)?;
        Err(format!("{} ended at once: {}", self.name, said.trim_end()).into())
    }

    fn serves(self, target: Target, caller: Caller, dir: TempDir) -> Server {
        Server {
            process: self.process,
            _stdout: self.stdout,
            target,
            caller,
            _dir: dir,
        }
    }
}
