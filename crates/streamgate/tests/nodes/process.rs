//! A server of somebody else's, for one test: on a free port of loopback.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::nodes::pause;

/// How long a server may take to start on a loaded machine, in pauses.
const PAUSES: u32 = 500;

/// A server that runs. It ends with this.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
}

impl Process {
    /// Starts the command for a port, and waits until it listens there.
    pub(crate) fn start(command: impl Fn(u16) -> Command) -> Self {
        // Somebody else may take the port in between: then another.
        (0..10)
            .find_map(|_| Self::try_start(&command))
            .unwrap_or_else(|| panic!("did not start on any of ten ports: {:?}", command(0)))
    }

    fn try_start(command: &impl Fn(u16) -> Command) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self::start_on(port, command)
    }

    /// Starts the command for this port; `None` where it ends, or never listens.
    pub(crate) fn start_on(port: u16, command: impl Fn(u16) -> Command) -> Option<Self> {
        let mut command = command(port);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; ./test installs it"));
        let mut process = Self { child, port };
        for _ in 0..PAUSES {
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

    /// Stops it without closing anything.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
