//! Servers that a measurement starts: each a process of its own on a port of the loopback address,
//! which ends with its value.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use streamgate_loadgen::{ProcessMeter, Target};
use streamgate_testkit::{Flavour, Redis, bare};

use crate::Result;

/// A server that speaks HTTP.
pub(crate) struct Server {
    process: Process,
    pub(crate) target: Target,
    /// The API key, if the server asks for one.
    pub(crate) key: Option<String>,
}

/// A process that ends with this.
struct Process {
    child: Child,
    name: String,
    /// Open as long as the process, so that it can print.
    stdout: BufReader<ChildStdout>,
    /// What it wrote to standard error.
    stderr: PathBuf,
}

impl Server {
    /// A server that decides nothing and keeps nothing.
    pub(crate) fn bare(dir: &Path) -> Result<Self> {
        let mut command = command(&std::env::current_exe()?);
        command.arg("bare");
        Self::listening(command, dir, None)
    }

    /// This build of Streamgate with a key, its data in a directory, and these settings.
    pub(crate) fn streamgate(binary: &Path, dir: &Path, settings: &[String]) -> Result<Self> {
        let made = command(binary)
            .args(["key", "new", "--json", "--name", "bench"])
            .output();
        let made = made.map_err(|error| format!("{}: {error}", binary.display()))?;
        let made: Value = serde_json::from_slice(&made.stdout)
            .map_err(|error| format!("{} makes no key: {error}", binary.display()))?;
        let (key, sha256) = (made["key"].as_str().map(str::to_owned), &made["sha256"]);
        let config = dir.join("streamgate.toml");
        let keys = format!("[[keys]]\nname = \"bench\"\nsha256 = {sha256}\nscope = \"player\"\n");
        fs::write(&config, keys)?;
        let mut command = command(binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_of(dir))
            .arg("--config")
            .arg(&config);
        for setting in settings {
            command.args(["--set", setting]);
        }
        Self::listening(command, dir, key)
    }

    /// Starts a server that prints its address once it listens.
    fn listening(command: Command, dir: &Path, key: Option<String>) -> Result<Self> {
        let mut process = Process::start(command, dir)?;
        let said = process.says("listening on http://")?;
        let address = said.split([' ', '/']).next().unwrap_or_default();
        let target = Target::parse(&format!("http://{address}"))?;
        Ok(Self {
            process,
            target,
            key,
        })
    }

    /// Reads its processor time and memory.
    pub(crate) fn meter(&self) -> Result<ProcessMeter> {
        Ok(ProcessMeter::of(self.process.child.id())?)
    }
}

/// The directory of the data of a server that is started in `dir`.
pub(crate) fn data_of(dir: &Path) -> PathBuf {
    dir.join("data")
}

/// Starts a Redis with this `appendfsync` and its log in `dir`; with `None`, it writes nothing to
/// the disk.
pub(crate) fn redis(appendfsync: Option<&str>, dir: &Path) -> Result<Redis> {
    let dir = dir.to_str().ok_or("the directory is not UTF-8")?;
    // A rewrite of the log is done by a child, whose cost would not be counted.
    let mut more = vec!["--dir", dir, "--auto-aof-rewrite-percentage", "0"];
    if let Some(appendfsync) = appendfsync {
        more.extend(["--appendonly", "yes", "--appendfsync", appendfsync]);
    }
    Ok(Redis::start(Flavour::Redis, &more))
}

impl Process {
    fn start(mut command: Command, dir: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let stderr = dir.join("stderr");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr)?)
            .spawn()
            .map_err(|error| missing(&name, &error))?;
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        Ok(Self {
            child,
            name,
            stdout,
            stderr,
        })
    }

    /// Reads until a line has these words; returns the rest of the line.
    fn says(&mut self, words: &str) -> Result<String> {
        let (mut said, mut line) = (String::new(), String::new());
        while self.stdout.read_line(&mut line)? > 0 {
            if let Some((_, after)) = line.split_once(words) {
                return Ok(after.trim_end().to_owned());
            }
            said += &line;
            line.clear();
        }
        said += &fs::read_to_string(&self.stderr)?;
        Err(format!("{} ended at once: {}", self.name, said.trim_end()).into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command with nothing of this process's environment but the path.
pub(crate) fn command(program: &Path) -> Command {
    bare(&program.to_string_lossy())
}

/// What a program prints; its failure is one here.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| missing(&name, &error))?;
    let said = String::from_utf8(output.stdout)?;
    if output.status.success() {
        return Ok(said);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {} {said}{complaint}", output.status).into())
}

fn missing(program: &str, error: &std::io::Error) -> String {
    let package = match program {
        "redis-server" => "redis-server",
        "redis-benchmark" => "redis-tools",
        "fio" => "fio",
        _ => return format!("{program}: {error}"),
    };
    format!(
        "{program} is missing ({error}): install the Debian package {package} \
         (apt-get install {package}), or name what is to be measured with --only"
    )
}
