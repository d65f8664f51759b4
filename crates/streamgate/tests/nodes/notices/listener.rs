//! A listener: a connection that reads an event stream and remembers what it was told.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use streamgate_clock::Stopwatch;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long an event may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An event, and when it arrived by the watch of the test.
#[derive(Debug, Clone)]
pub(in crate::nodes) struct Event {
    pub(in crate::nodes) name: String,
    pub(in crate::nodes) data: Value,
    pub(in crate::nodes) at: Duration,
}

/// An open event stream. It is closed when this is dropped.
#[derive(Debug)]
pub(in crate::nodes) struct Listener {
    /// Its first event.
    pub(in crate::nodes) first: Event,
    events: mpsc::UnboundedReceiver<Event>,
    reading: JoinHandle<()>,
}

impl Listener {
    /// Opens the stream of this path, and waits for its first event.
    pub(in crate::nodes) async fn open(node: SocketAddr, path: &str, watch: Stopwatch) -> Self {
        let mut stream = TcpStream::connect(node).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let (tell, mut events) = mpsc::unbounded_channel();
        let reading = tokio::spawn(read(stream, tell, watch));
        let first = next(&mut events).await;
        assert!(
            ["session", "sessions", "stream"].contains(&first.name.as_str()),
            "{first:?}"
        );
        Self {
            first,
            events,
            reading,
        }
    }

    /// The next event.
    pub(in crate::nodes) async fn next(&mut self) -> Event {
        next(&mut self.events).await
    }

    /// The next event of this name; others are passed over.
    pub(in crate::nodes) async fn wait_for(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await;
            if event.name == name {
                return event;
            }
        }
    }

    /// Every event that has arrived so far and was not taken.
    pub(in crate::nodes) fn arrived(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}

async fn next(events: &mut mpsc::UnboundedReceiver<Event>) -> Event {
    let next = tokio::time::timeout(PATIENCE, events.recv()).await;
    next.expect("an event").expect("the stream is open")
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Reads events until the connection ends. Lines that are no field, such as those of the transfer
/// coding, are passed over.
async fn read(stream: TcpStream, tell: mpsc::UnboundedSender<Event>, watch: Stopwatch) {
    let mut lines = BufReader::new(stream).lines();
    let mut name = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = line.trim_end();
        if let Some(status) = line.strip_prefix("HTTP/1.1 ") {
            assert!(status.starts_with("200"), "{line}");
        } else if let Some(named) = line.strip_prefix("event: ") {
            named.clone_into(&mut name);
        } else if let Some(data) = line.strip_prefix("data: ") {
            let event = Event {
                name: std::mem::take(&mut name),
                data: serde_json::from_str(data).unwrap(),
                at: watch.elapsed(),
            };
            if tell.send(event).is_err() {
                return;
            }
        }
    }
}
