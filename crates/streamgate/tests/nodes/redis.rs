//! A Redis server of a test: on a free port of loopback, keeping nothing.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::pause;

/// How long a server may take to start on a loaded machine, in steps of 20 ms.
const STEPS: u32 = 500;

/// A server that runs. It ends with this.
pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
}

impl Redis {
    /// Starts one and waits until it listens.
    pub(crate) fn start() -> Self {
        // Somebody else may take the port in between: then another.
        (0..10)
            .find_map(|_| Self::try_start())
            .expect("redis-server did not start on any of ten ports")
    }

    fn try_start() -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed by ./test");
        let mut redis = Self { child, port };
        for _ in 0..STEPS {
            if redis.child.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(redis);
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

impl Drop for Redis {
    fn drop(&mut self) {
        // Either fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
