//! A server of another project on a free port of loopback.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::pause;

/// How many ports are tried. Another process may take a free port before the server binds it.
const PORTS_MAX: u32 = 10;

/// How long a server may take to start on a loaded machine, in pauses.
const PAUSES_MAX: u32 = 500;

/// A port of loopback that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

impl Process {
    /// Starts the command that `command` makes for a port, and waits until it listens there.
    pub fn start(command: impl Fn(u16) -> Command) -> Self {
        Self::try_ports(|port| Self::start_on(port, &command)).unwrap_or_else(|| {
            panic!(
                "did not start on any of {PORTS_MAX} ports: {:?}",
                command(0)
            )
        })
    }

    /// What `start` returns for the first free port for which it returns anything.
    pub(super) fn try_ports<T>(start: impl FnMut(u16) -> Option<T>) -> Option<T> {
        std::iter::repeat_with(free_port)
            .take(PORTS_MAX as usize)
            .find_map(start)
    }

    /// Starts the command for this port; `None` if it exits or does not listen in time.
    pub fn start_on(port: u16, command: impl Fn(u16) -> Command) -> Option<Self> {
        let mut command = command(port);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; ./test installs it"));
        let mut process = Self { child, port };
        for _ in 0..PAUSES_MAX {
            if process.child.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(process);
            }
            pause();
        }
        None
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `http://127.0.0.1:PORT`, for servers that speak HTTP.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Stops it with SIGSTOP: connections stay open, and nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen process continue.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it with SIGKILL, as a power loss would, and waits until it has ended.
    pub fn kill(&mut self) {
        // Either fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
