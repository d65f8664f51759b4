//! Servers that a measurement starts, and what they say of themselves.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use streamgate_loadgen::ProcessMeter;
use tempfile::TempDir;

use crate::Result;

/// Heartbeats in a call that brings many: as many as one may bring.
pub(crate) const BATCH: u64 = 1_000;

/// How long a server may take to start, in looks.
const LOOKS: u32 = 500;

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A Redis server that is a cluster by itself and keeps nothing on disk. It ends with this.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    /// Where servers of a cluster talk to each other.
    bus: u16,
    _dir: TempDir,
}

impl Redis {
    /// Starts one, and gives it all slots.
    pub(crate) async fn start() -> Result<Self> {
        let redis = Self::start_empty().await?;
        redis.ask("cluster addslotsrange 0 16383")?;
        redis.wait_for("cluster info", "cluster_state:ok").await?;
        Ok(redis)
    }

    /// Starts one that has all that this one has.
    pub(crate) async fn start_replica(&self) -> Result<Self> {
        let replica = Self::start_empty().await?;
        let (port, bus) = (self.port, self.bus);
        replica.ask(&format!("cluster meet 127.0.0.1 {port} {bus}"))?;
        let id = self.ask("cluster myid")?;
        replica.wait_for("cluster nodes", id.trim()).await?;
        let replicate = format!("cluster replicate {}", id.trim());
        replica.wait_for(&replicate, "OK").await?;
        replica
            .wait_for("info replication", "master_link_status:up")
            .await?;
        Ok(replica)
    }

    async fn start_empty() -> Result<Self> {
        let (port, bus) = (free_port()?, free_port()?);
        let dir = tempfile::tempdir()?;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(["--repl-diskless-sync-delay", "0"])
            .args(["--cluster-enabled", "yes"])
            .args(["--cluster-port", &bus.to_string()])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server: {error}"))?;
        let redis = Self {
            child,
            port,
            bus,
            _dir: dir,
        };
        redis.wait_for("ping", "PONG").await?;
        Ok(redis)
    }

    /// What `store.url` is for it.
    pub(crate) fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.port)
    }

    async fn wait_for(&self, question: &str, answer: &str) -> Result<()> {
        for _ in 0..LOOKS {
            // A server that does not listen yet is asked again.
            if self.ask(question).is_ok_and(|said| said.contains(answer)) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(format!("redis-server never said {answer}").into())
    }

    fn ask(&self, question: &str) -> Result<String> {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(question.split(' '))
            .output()
            .map_err(|error| format!("redis-cli: {error}"))?;
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A number that `INFO` has under a name; 0 where the name is not there.
    pub(crate) fn info(&self, section: &str, name: &str) -> Result<f64> {
        let said = self.ask(&format!("info {section}"))?;
        let value = said.lines().find_map(|line| line.strip_prefix(name));
        let value = value.and_then(|rest| rest.strip_prefix(':')).unwrap_or("0");
        // Numbers of commands stand in a list: `calls=12,usec=…`.
        let value = value.trim_start_matches("calls=");
        let value = value.split(',').next().unwrap_or_default();
        Ok(value.trim().parse()?)
    }

    /// User and system time so far, in seconds.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        Ok(self.info("cpu", "used_cpu_user")? + self.info("cpu", "used_cpu_sys")?)
    }

    /// How many scripts were called so far.
    pub(crate) fn scripts(&self) -> Result<f64> {
        let by_name = self.info("commandstats", "cmdstat_evalsha")?;
        Ok(by_name + self.info("commandstats", "cmdstat_eval")?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A node: the real binary. It ends with this.
pub(crate) struct Node {
    child: Child,
    /// Open as long as the node is, so that it can say what it wants.
    _stdout: ChildStdout,
    pub(crate) address: SocketAddr,
    /// Its data, where they end with it.
    dir: Option<TempDir>,
}

impl Node {
    /// Starts the binary with these settings and no data, and waits until it says where it listens.
    pub(crate) fn start(binary: &Path, settings: &[String]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut node = Self::start_on(binary, dir.path(), settings)?;
        node.dir = Some(dir);
        Ok(node)
    }

    /// The same on data that were there before, and stay.
    pub(crate) fn start_on(binary: &Path, data: &Path, settings: &[String]) -> Result<Self> {
        let mut command = Command::new(binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let mut stdout = child.stdout.take().ok_or("it is piped")?;
        match address_of(&mut stdout) {
            Ok(address) => Ok(Self {
                child,
                _stdout: stdout,
                address,
                dir: None,
            }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    /// What its process costs.
    pub(crate) fn meter(&self) -> Result<ProcessMeter> {
        Ok(ProcessMeter::of(self.child.id())?)
    }

    /// User and system time so far, in seconds.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name, which may hold anything, user and system time are fields 12 and 13.
        let (_, fields) = stat.rsplit_once(')').ok_or("the name of a process ends")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |at: usize| -> Result<f64> {
            let field = fields.get(at).ok_or("a process has these times")?;
            Ok(field.parse()?)
        };
        #[expect(clippy::cast_precision_loss, reason = "a hundred, nearly always")]
        let per_second = clock_ticks_per_second() as f64;
        Ok((ticks(11)? + ticks(12)?) / per_second)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The binary of the same build as this one.
pub(crate) fn binary_beside() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("streamgate"))
}

/// Reads what a node says until it has said where it listens.
fn address_of(stdout: &mut ChildStdout) -> Result<SocketAddr> {
    use std::io::{BufRead, BufReader};
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if let Some((_, after)) = line.split_once("listening on http://") {
            let address = after.split([' ', '/']).next().unwrap_or_default();
            return Ok(address.parse()?);
        }
    }
    Err("the node ended at once; start it by hand to see why".into())
}

/// Ends a process, and waits until it has.
pub(crate) fn end(child: &mut Child) {
    // Either fails where it has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// A port that nobody listened on just now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
