//! The real server as a child process: waited for by what it says, killed when it is dropped.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::command::streamgate;
use super::http::{Answer, call};

/// How long a server may take to say something that it must say, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    pub(crate) address: SocketAddr,
}

/// How a server ended, and everything it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The arguments of a server on a free port.
pub(crate) fn serve_arguments(data_dir: &Path) -> Vec<&str> {
    let data_dir = data_dir.to_str().expect("temporary paths are UTF-8");
    vec!["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir]
}

impl Server {
    /// Serves a data directory on a free port.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[])
    }

    /// The same with further arguments.
    pub(crate) fn start_with(data_dir: &Path, arguments: &[&str]) -> Self {
        Self::spawn(streamgate(
            &[serve_arguments(data_dir).as_slice(), arguments].concat(),
        ))
    }

    /// Starts a command that serves, and waits until it says where.
    pub(crate) fn spawn(command: Command) -> Self {
        let mut server = Self::spawn_logging(command);
        server.wait_until_it_listens();
        server
    }

    /// Waits until the server says where it listens; again, where the command serves again.
    pub(crate) fn wait_until_it_listens(&mut self) {
        let line = self.wait_for_output("listening on http://");
        self.address = address_in(&line);
    }

    /// Starts a command that does not greet on standard output, and does not wait: its address is
    /// port 0 until a test finds it in the log.
    pub(crate) fn spawn_logging(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server can be started");
        let stdout = Lines::of(child.stdout.take().expect("it is piped"));
        let stderr = Lines::of(child.stderr.take().expect("it is piped"));
        Self {
            child,
            stdout,
            stderr,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }

    /// Waits for a line of standard output that has `text` in it.
    pub(crate) fn wait_for_output(&mut self, text: &str) -> String {
        self.stdout
            .wait_for(text)
            .unwrap_or_else(|| panic!("never said {text:?}; its log:\n{}", self.stderr.rest()))
    }

    /// Waits for a line of the log that has `text` in it.
    pub(crate) fn wait_for_log(&mut self, text: &str) -> String {
        self.stderr
            .wait_for(text)
            .unwrap_or_else(|| panic!("never logged {text:?}; its log:\n{}", self.stderr.all))
    }

    /// Starts a command that serves, with another standard error than the test reads, and waits until
    /// it says where.
    pub(crate) fn spawn_logging_to(mut command: Command, stderr: impl Into<Stdio>) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the server can be started");
        let mut server = Self {
            stdout: Lines::of(child.stdout.take().expect("it is piped")),
            stderr: Lines::of(std::io::empty()),
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        server.wait_until_it_listens();
        server
    }

    /// The address as clients of the command line take it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls the server without a key.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        call(self.address, method, path, None, body)
    }

    /// The id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Kills the server with SIGKILL and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> Ended {
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

/// The address in a line such as `listening on http://127.0.0.1:4711`.
fn address_in(line: &str) -> SocketAddr {
    let (_, after) = line.split_once("http://").expect("the line has a URL");
    let address = after.split([' ', '"', '/']).next().unwrap_or_default();
    address.parse().unwrap_or_else(|_| panic!("{line}"))
}

/// Lines that a thread reads as they come, so that a pipe never fills up.
#[derive(Debug)]
struct Lines {
    lines: Receiver<String>,
    /// Everything that was received.
    all: String,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            lines,
            all: String::new(),
        }
    }

    /// The next line; `None` at the end.
    fn next(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.all.push_str(&line);
                self.all.push('\n');
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("silent for too long, after:\n{}", self.all),
        }
    }

    fn wait_for(&mut self, text: &str) -> Option<String> {
        loop {
            let line = self.next()?;
            if line.contains(text) {
                return Some(line);
            }
        }
    }

    /// Everything, once the stream has ended.
    fn rest(&mut self) -> String {
        while self.next().is_some() {}
        self.all.clone()
    }
}
