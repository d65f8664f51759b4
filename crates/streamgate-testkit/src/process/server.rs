//! The Streamgate server as a process: waited for by what it prints, killed when it is dropped.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::str::FromStr;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::command::streamgate;
use super::lines::Lines;
use crate::http::{Answer, call};
use crate::wait::eventually;

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    /// Where it listens; port 0 until it has said so.
    pub address: SocketAddr,
    /// How its URLs begin.
    scheme: &'static str,
}

/// How a server ended, and everything it said.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Everything that it printed.
    pub stdout: String,
    /// Its log.
    pub stderr: String,
}

/// The arguments of a server on a free port.
pub fn serve_arguments(data_dir: &Path) -> Vec<&str> {
    let data_dir = data_dir.to_str().expect("temporary paths are UTF-8");
    vec!["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir]
}

/// Waits until a running server has prepared its second log segment. Until then it makes files in the
/// data directory, and on a full disk it starts nothing.
pub fn until_prepared(data_dir: &Path) {
    let prepared = data_dir.join("log-0000000000000002.sg");
    eventually("a segment is prepared", || prepared.exists());
}

/// Removes the data directory of a running server.
pub fn remove_data(data_dir: &Path) {
    until_prepared(data_dir);
    std::fs::remove_dir_all(data_dir).expect("nothing is made in it");
}

impl Server {
    /// Serves a data directory on a free port.
    pub fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[])
    }

    /// The same with further arguments.
    pub fn start_with(data_dir: &Path, arguments: &[&str]) -> Self {
        Self::spawn(streamgate(
            &[serve_arguments(data_dir).as_slice(), arguments].concat(),
        ))
    }

    /// Starts a command that serves, and waits until it says where.
    pub fn spawn(command: Command) -> Self {
        let mut server = Self::spawn_logging(command);
        server.wait_until_it_listens();
        server
    }

    /// Waits until the server says where it listens: at its start, or again when it serves anew.
    pub fn wait_until_it_listens(&mut self) {
        let line = self.wait_for_output("listening on http");
        (self.scheme, self.address) = url_in(&line);
    }

    /// Starts a command that does not greet on standard output, and does not wait: its address is
    /// port 0 until a test finds it in the log.
    pub fn spawn_logging(command: Command) -> Self {
        Self::piped(command, Stdio::piped())
    }

    /// Starts a command that serves, with another standard error than the test reads, and waits
    /// until it says where.
    pub fn spawn_logging_to(command: Command, stderr: impl Into<Stdio>) -> Self {
        let mut server = Self::piped(command, stderr.into());
        server.wait_until_it_listens();
        server
    }

    fn piped(mut command: Command, stderr: Stdio) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the server can be started");
        let stderr = child.stderr.take();
        Self {
            stdout: Lines::of(child.stdout.take().expect("it is piped")),
            stderr: stderr.map_or_else(|| Lines::of(std::io::empty()), Lines::of),
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            scheme: "http",
        }
    }

    /// Waits for a line of standard output that has `text` in it.
    pub fn wait_for_output(&mut self, text: &str) -> String {
        self.stdout
            .wait_for(text)
            .unwrap_or_else(|| panic!("never said {text:?}; its log:\n{}", self.stderr.rest()))
    }

    /// Waits for a line of the log that has `text` in it.
    pub fn wait_for_log(&mut self, text: &str) -> String {
        self.stderr
            .wait_for(text)
            .unwrap_or_else(|| panic!("never logged {text:?}; its log:\n{}", self.stderr.all))
    }

    /// The address as clients of the command line take it.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Calls the server without a key, and without TLS.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        call(self.address, method, path, None, body)
    }

    /// The value of a metric; `series` is its name with its labels, as `/metrics` writes them.
    #[track_caller]
    pub fn metric<T: FromStr<Err: Debug>>(&self, series: &str) -> T {
        let page = self.call("GET", "/metrics", None).text;
        let mut lines = page.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no {series} in\n{page}"));
        value.parse().expect("a number of this type")
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Kills the server with SIGKILL and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Ended {
        // Both end with the process, so that this does not wait for one that never ends.
        let stderr = self.stderr.rest();
        let stdout = self.stdout.rest();
        Ended {
            status: self.child.wait().expect("it ends"),
            stdout,
            stderr,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Scheme and address in a line such as `listening on http://127.0.0.1:4711`.
fn url_in(line: &str) -> (&'static str, SocketAddr) {
    let (before, after) = line.split_once("://").expect("the line has a URL");
    let scheme = if before.ends_with("https") {
        "https"
    } else {
        "http"
    };
    let address = after.split([' ', '"', '/']).next().unwrap_or_default();
    (scheme, address.parse().unwrap_or_else(|_| panic!("{line}")))
}
