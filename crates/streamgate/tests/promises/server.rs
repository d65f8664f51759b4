//! The real binary, as a child process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a server may take to say that it listens, or to end, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    pub(crate) address: SocketAddr,
}

/// How a server ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_streamgate");

impl Server {
    /// Serves `data_dir` on a free port.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[])
    }

    pub(crate) fn start_with(data_dir: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(serve_arguments(data_dir)).args(arguments);
        Self::spawn(command)
    }

    /// Starts a command that ends up serving, and waits until it says where.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server can be started");
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self {
            child,
            stdout: Some(stdout),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        server.address = server.wait_until_it_listens();
        server
    }

    /// Reads what the server prints until it says where it listens; also for a second time, where
    /// the command serves again.
    pub(crate) fn wait_until_it_listens(&mut self) -> SocketAddr {
        let line = self.wait_for_line("listening on http://");
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        address
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("{line}"))
    }

    /// Reads what the server prints until a line has `text` in it, and answers that line.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> String {
        let mut stdout = self
            .stdout
            .take()
            .expect("the output is read by one caller");
        let (send, receive) = mpsc::channel();
        let text = text.to_owned();
        std::thread::spawn(move || {
            let mut line = String::new();
            let found = loop {
                line.clear();
                match stdout.read_line(&mut line) {
                    Ok(0) | Err(_) => break None,
                    Ok(_) if line.contains(&text) => break Some(line),
                    Ok(_) => {}
                }
            };
            let _ = send.send((found, stdout));
        });
        match receive.recv_timeout(PATIENCE) {
            Ok((Some(line), stdout)) => {
                self.stdout = Some(stdout);
                line
            }
            Ok((None, _)) => panic!("the server ended: {}", self.wait().stderr),
            Err(_) => panic!("the server said nothing in time"),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).unwrap();
        let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4_096
    }

    /// Kills the server with SIGKILL and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks the server to end, and waits for it.
    pub(crate) fn terminate(self) -> Ended {
        self.signal("TERM");
        self.wait_owned()
    }

    /// Sends a signal to this very process.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{name}")).arg(self.pid().to_string());
        assert!(kill.status().unwrap().success(), "kill -{name}");
    }

    /// Waits until the server ends by itself.
    pub(crate) fn wait_owned(mut self) -> Ended {
        self.wait()
    }

    fn wait(&mut self) -> Ended {
        // Reading to the end of the error output ends when the process does.
        let mut stderr = self.child.stderr.take().expect("waited for once");
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            let _ = send.send(String::from_utf8_lossy(&text).into_owned());
        });
        let stderr = receive
            .recv_timeout(PATIENCE)
            .expect("the server ends in time");
        Ended {
            status: self.child.wait().expect("it ends"),
            stderr,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn serve_arguments(data_dir: &Path) -> Vec<String> {
    let data_dir = data_dir.to_str().unwrap().to_owned();
    ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data_dir]
        .map(str::to_owned)
        .to_vec()
}
