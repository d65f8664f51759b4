//! What the server tells a service manager. The stand-in is a datagram socket, which is all that
//! systemd shows of itself to a service.

mod messages;
mod watchdog;

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use tempfile::TempDir;

/// How long a message may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The stand-in of systemd.
struct Manager {
    socket: UnixDatagram,
    /// What `NOTIFY_SOCKET` names.
    name: String,
    /// Where the socket is, if it has a path.
    _dir: Option<TempDir>,
}

impl Manager {
    /// One with a socket in the file system.
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("notify");
        Self {
            socket: UnixDatagram::bind(&path).unwrap(),
            name: path.to_str().unwrap().to_owned(),
            _dir: Some(dir),
        }
    }

    /// One with an abstract socket, as some containers have.
    fn abstract_named(name: &str) -> Self {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        Self {
            socket: UnixDatagram::bind_addr(&address).unwrap(),
            name: format!("@{name}"),
            _dir: None,
        }
    }

    /// Sets the variables of a service with `Type=notify`.
    fn starts(&self, mut command: Command) -> Command {
        command.env("NOTIFY_SOCKET", &self.name);
        command
    }

    /// The next message within a time.
    fn next_within(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut bytes = [0; 4_096];
        match self.socket.recv(&mut bytes) {
            Ok(length) => Some(String::from_utf8(bytes[..length].to_vec()).unwrap()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                None
            }
        }
    }

    /// The next message.
    #[track_caller]
    fn next(&self) -> String {
        self.next_within(PATIENCE).expect("a message")
    }

    /// Reads until a message has `text` in it, and returns that message.
    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        let waited = Stopwatch::start();
        let mut read = Vec::new();
        while waited.elapsed() < PATIENCE {
            let Some(message) = self.next_within(PATIENCE) else {
                break;
            };
            if message.contains(text) {
                return message;
            }
            read.push(message);
        }
        panic!("no message with {text:?}, but {read:?}");
    }
}

/// The value of a field of a message.
fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix('=');
    message.lines().find_map(value)
}
