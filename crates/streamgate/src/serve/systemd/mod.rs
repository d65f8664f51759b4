//! What the service manager is told, in the protocol of `sd_notify(3)`: datagrams of text to the
//! socket that `NOTIFY_SOCKET` names. Without that variable nothing is opened, started or sent.
//!
//! Messages go through a bounded queue to a task that sends them in order, so that no call waits
//! for a service manager that does not read. Crates for this protocol send while the caller waits,
//! and do not know abstract sockets.
//!
//! What is *not* here: when the watchdog is fed (`watchdog.rs`), when a message is due (`serve`).

mod message;
mod readiness;
mod socket;
mod watchdog;

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_clock::monotonic_us;
use tokio::net::UnixDatagram;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use message::{Message, Status};
pub(super) use watchdog::Watchdog;

/// Messages that wait to be sent. A service manager that reads never lets this many gather.
const QUEUE_MAX: usize = 64;

/// The time to open a store, beside the time that its bytes take.
const OPENING: Duration = Duration::from_secs(30);

/// The slowest disk that a start is given time for, in bytes per second.
const READ_BYTES_PER_S_MIN: u64 = 8 << 20;

/// The time to write the last batch and close the store, after the grace of requests.
const CLOSING: Duration = Duration::from_secs(30);

/// How long the end of the process waits for messages that have not been sent.
const LAST_MESSAGES: Duration = Duration::from_secs(1);

/// The service manager of this process, if there is one.
#[derive(Debug, Clone, Default)]
pub(super) struct Manager(Option<Arc<Connected>>);

/// What the queue of messages holds.
#[derive(Debug)]
enum Queued {
    Message(String),
    /// Answered when the messages before it have been sent.
    Mark(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Connected {
    messages: Sender<Queued>,
    status: Mutex<Status>,
}

impl Manager {
    /// The manager that the environment names. Called on the runtime, which sends the messages.
    pub(super) fn of_environment() -> Self {
        std::env::var_os("NOTIFY_SOCKET").map_or_else(Self::default, |name| Self::at(&name))
    }

    /// The manager at a socket. Its absence is logged and stops nothing: the service can serve.
    fn at(name: &OsStr) -> Self {
        match socket::connect(name) {
            Ok(socket) => {
                let (messages, queue) = channel(QUEUE_MAX);
                tokio::spawn(send_all(socket, queue));
                let status = Mutex::default();
                Self(Some(Arc::new(Connected { messages, status })))
            }
            Err(error) => {
                tracing::warn!(
                    socket = %name.to_string_lossy(),
                    %error,
                    "the socket in NOTIFY_SOCKET cannot be used: the service manager is told \
                     nothing"
                );
                Self::default()
            }
        }
    }

    /// Whether there is one.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The store is being opened: `dir` is its data directory, `None` for a store on a server. Asks
    /// for the time that the bytes of the directory take on a slow disk; a disk that hangs uses it
    /// up, and the start fails.
    pub(super) fn opening(&self, dir: Option<&Path>) {
        let Some(dir) = dir.filter(|_| self.is_there()) else {
            return self.send(&Message::new().status("connecting to the store"));
        };
        let bytes = bytes_in(dir);
        let time = OPENING + Duration::from_secs(bytes / READ_BYTES_PER_S_MIN);
        let status = format!("reading the data directory, {} MiB", bytes >> 20);
        self.send(&Message::new().extend_timeout(time).status(&status));
    }

    /// The listener is open. Whether the store can be used is the readiness, which the status
    /// names: units that are ordered after this one must not hang because Redis is away.
    pub(super) fn listening(&self, url: &str) {
        self.update(Message::new().field("READY=1"), |status| {
            status.url = Some(url.to_owned());
        });
    }

    /// Whether calls are served, and why not. Sent if it has changed.
    fn readiness(&self, why_not: Option<String>) {
        let is_new = |connected: &Arc<Connected>| connected.status.lock().why_not != why_not;
        if self.0.as_ref().is_some_and(is_new) {
            self.update(Message::new(), |status| status.why_not = why_not);
        }
    }

    /// The settings are being read again. [`reloaded`](Self::reloaded) must follow.
    pub(super) fn reloading(&self) {
        let now = format!("MONOTONIC_USEC={}", monotonic_us());
        self.send(&Message::new().field("RELOADING=1").field(&now));
    }

    /// The settings were read and taken, or refused.
    pub(super) fn reloaded(&self, taken: bool) {
        self.update(Message::new().field("READY=1"), |status| {
            status.reload_refused = !taken;
        });
    }

    /// The process was told to stop, and may take `drain`, `grace` and what closing takes.
    pub(super) fn stopping(&self, drain: Duration, grace: Duration) {
        let time = drain + grace + CLOSING;
        let status = "stopping: requests under way may finish";
        let message = Message::new().field("STOPPING=1").extend_timeout(time);
        self.send(&message.status(status));
    }

    /// Waits until all messages have been sent: the process ends next, and the task that sends them
    /// with it. A service manager that does not read is given a second.
    pub(super) async fn last_messages_sent(&self) {
        let Some(connected) = &self.0 else {
            return;
        };
        let (mark, sent) = oneshot::channel();
        let all_sent = async {
            connected.messages.send(Queued::Mark(mark)).await.is_ok() && sent.await.is_ok()
        };
        if timeout(LAST_MESSAGES, all_sent).await != Ok(true) {
            warn_of_unread();
        }
    }

    /// Changes the status and sends it behind `message`.
    fn update(&self, message: Message, change: impl FnOnce(&mut Status)) {
        let Some(connected) = &self.0 else {
            return;
        };
        let mut status = connected.status.lock();
        change(&mut status);
        let text = status.to_string();
        drop(status);
        self.send(&message.status(&text));
    }

    fn send(&self, message: &Message) {
        let Some(connected) = &self.0 else {
            return;
        };
        let message = Queued::Message(message.text());
        if connected.messages.try_send(message).is_err() {
            warn_of_unread();
        }
    }
}

fn warn_of_unread() {
    tracing::warn!("the service manager does not read: a message to it is dropped");
}

/// Sends messages in order. A message that cannot be sent is logged.
async fn send_all(socket: UnixDatagram, mut queue: Receiver<Queued>) {
    while let Some(queued) = queue.recv().await {
        match queued {
            Queued::Message(message) => {
                if let Err(error) = socket.send(message.as_bytes()).await {
                    tracing::warn!(%error, "the service manager cannot be told");
                }
            }
            // The end may have stopped waiting.
            Queued::Mark(sent) => {
                let _ = sent.send(());
            }
        }
    }
}

/// The sum of the lengths of the files in a directory; 0 for one that is missing.
fn bytes_in(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    let length = |entry: std::fs::DirEntry| entry.metadata().ok().map(|it| it.len());
    entries.flatten().filter_map(length).sum()
}

#[cfg(test)]
mod tests {
    use streamgate_clock::Stopwatch;

    use super::*;

    #[tokio::test]
    async fn a_process_without_a_service_manager_has_no_watchdog_and_sends_nothing() {
        let manager = Manager::default();
        assert!(!manager.is_there());
        manager.opening(Some(Path::new("/")));
        manager.listening("http://127.0.0.1:80");
        manager.stopping(Duration::ZERO, Duration::ZERO);
        assert!(Watchdog::start(&manager, None).is_none());
    }

    #[tokio::test]
    async fn a_socket_that_is_not_there_stops_nothing() {
        for name in ["/nowhere/notify", "@streamgate-nobody-listens", "vsock:2:1"] {
            assert!(!Manager::at(name.as_ref()).is_there(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_manager_that_does_not_read_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let _unread = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        let manager = Manager::at(path.as_ref());
        for _ in 0..10 * QUEUE_MAX {
            manager.reloading();
            tokio::task::yield_now().await;
        }
        let waited = Stopwatch::start();
        manager.last_messages_sent().await;
        assert!(waited.elapsed() >= LAST_MESSAGES, "{waited:?}");
    }

    #[tokio::test]
    async fn the_end_waits_until_the_last_message_has_been_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = Manager::at(path.as_ref());
        manager.stopping(Duration::ZERO, Duration::ZERO);
        manager.last_messages_sent().await;
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        assert!(bytes[..length].starts_with(b"STOPPING=1\n"));
    }
}
