//! How late this machine is: a promise about time is kept by a processor that gets its turn, and
//! here other tests take turns, too.
//!
//! The nodes are asked something that needs no store, over and over. What they take for it, they
//! take for everything.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// Turns of a processor on the way of an ending, for each turn of an answer: the node that hears of
/// it reads the record before it tells.
const TURNS: u32 = 2;

/// Asks nodes until dropped.
#[derive(Debug)]
pub(in crate::nodes) struct Lag {
    watch: Stopwatch,
    asked: Vec<Arc<Mutex<Asked>>>,
    asking: Vec<JoinHandle<()>>,
}

/// What one node was asked, by the watch of the test.
#[derive(Debug, Default)]
struct Asked {
    /// When each question was asked, and answered.
    answered: Vec<(Duration, Duration)>,
    /// When the question was asked that has no answer yet.
    open: Option<Duration>,
}

impl Lag {
    /// Asks these nodes from here on.
    pub(in crate::nodes) fn of(nodes: &[SocketAddr], watch: Stopwatch) -> Self {
        let asked: Vec<_> = nodes
            .iter()
            .map(|_| Arc::<Mutex<Asked>>::default())
            .collect();
        let asking = nodes
            .iter()
            .zip(&asked)
            .map(|(node, asked)| tokio::spawn(ask(*node, watch, Arc::clone(asked))))
            .collect();
        Self {
            watch,
            asked,
            asking,
        }
    }

    /// The most that a node took for an answer between these two times, for each turn on the way of
    /// an ending.
    pub(in crate::nodes) fn between(&self, from: Duration, to: Duration) -> Duration {
        let now = self.watch.elapsed();
        let slowest = self.asked.iter().flat_map(|asked| {
            let asked = asked.lock().unwrap();
            let open = asked.open.map(|begun| (begun, now));
            let all = asked.answered.iter().copied().chain(open);
            let within = all.filter(|(begun, ended)| *begun <= to && *ended >= from);
            within.map(|(begun, ended)| ended - begun).max()
        });
        slowest.max().unwrap_or_default() * TURNS
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.asking.iter().for_each(JoinHandle::abort);
    }
}

async fn ask(node: SocketAddr, watch: Stopwatch, asked: Arc<Mutex<Asked>>) {
    loop {
        let begun = watch.elapsed();
        asked.lock().unwrap().open = Some(begun);
        let is_answered = answer(node).await.is_ok();
        asked.lock().unwrap().open = None;
        // A node that was killed is late with nothing.
        if !is_answered {
            return;
        }
        let ended = watch.elapsed();
        asked.lock().unwrap().answered.push((begun, ended));
        tokio::time::sleep(PAUSE).await;
    }
}

async fn answer(node: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(node).await?;
    let request = b"GET /healthz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let read = stream.read_to_end(&mut Vec::new()).await?;
    assert!(read > 0, "an answer");
    Ok(())
}
