//! A TCP proxy before a server on loopback, which disturbs connections as networks do.
//!
//! No bytes are lost from the middle of a connection: a direction that has swallowed anything stays
//! dead until the connection ends, also when the disturbance is over.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::random::Random;

/// How long a part of a message is held back at most, in milliseconds.
const DELAY_MAX_MS: u64 = 60;

/// What becomes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// They go through.
    None,
    /// They are late.
    Slow,
    /// Connections break: before the server has the request, or before the answer is there.
    Breaking,
    /// Requests reach the server, their answers get lost. Connections stay open.
    AnswersLost,
    /// Connections are taken, requests get lost.
    RequestsLost,
    /// Any of these, now and then.
    Mixed,
}

impl Disturbance {
    /// How many there are.
    pub const COUNT: usize = 6;

    const ALL: [Self; Self::COUNT] = [
        Self::None,
        Self::Slow,
        Self::Breaking,
        Self::AnswersLost,
        Self::RequestsLost,
        Self::Mixed,
    ];

    /// All, in an order that looks random.
    pub fn shuffled(random: &mut Random) -> [Self; Self::COUNT] {
        let mut all = Self::ALL;
        for left in (1..Self::COUNT).rev() {
            all.swap(left, random.below(left + 1));
        }
        all
    }
}

/// How often something was spoiled.
#[derive(Debug, Default)]
struct Counts {
    delayed: AtomicUsize,
    broken: AtomicUsize,
    answers_lost: AtomicUsize,
    requests_lost: AtomicUsize,
}

#[derive(Debug)]
struct Shared {
    server: u16,
    seed: u64,
    breaks_one_in: usize,
    disturbance: Mutex<Disturbance>,
    counts: Counts,
}

/// A proxy on a port of its own. It and its connections end with the runtime.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before the server on this port of loopback, without a disturbance. While it breaks
    /// connections, one part of a message in `breaks_one_in` does so.
    pub async fn before(server: u16, seed: u64, breaks_one_in: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server,
            seed,
            breaks_one_in,
            disturbance: Mutex::new(Disturbance::None),
            counts: Counts::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            port,
            shared,
            accepting,
        }
    }

    /// Disturbs what comes from now on in this way.
    pub fn set(&self, disturbance: Disturbance) {
        *self.shared.disturbance.lock().unwrap() = disturbance;
    }

    /// What was spoiled: messages delayed, connections broken, answers lost, requests lost.
    pub fn spoiled(&self) -> [usize; 4] {
        let counts = &self.shared.counts;
        [
            &counts.delayed,
            &counts.broken,
            &counts.answers_lost,
            &counts.requests_lost,
        ]
        .map(|count| count.load(Ordering::Relaxed))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    for number in 0.. {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        let random = Random::new(shared.seed.wrapping_add(number));
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // The end of one side is the end of the other.
            let _ = carry(client, random, &shared).await;
        });
    }
}

/// Carries a connection until one side or the disturbance ends it.
async fn carry(client: TcpStream, mut random: Random, shared: &Shared) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", shared.server)).await?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let answers = Random::new(random.next());
    tokio::select! {
        ended = pump(Way::Requests, from_client, to_server, random, shared) => ended,
        ended = pump(Way::Answers, from_server, to_client, answers, shared) => ended,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Requests,
    Answers,
}

async fn pump(
    way: Way,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut random: Random,
    shared: &Shared,
) -> io::Result<()> {
    let mut part = vec![0; 16 * 1_024];
    loop {
        let length = from.read(&mut part).await?;
        if length == 0 {
            return Ok(());
        }
        let disturbance = *shared.disturbance.lock().unwrap();
        match fate(disturbance, way, shared.breaks_one_in, &mut random) {
            Fate::Passes => {}
            Fate::IsLate(delay) => {
                count(&shared.counts.delayed);
                tokio::time::sleep(delay).await;
            }
            Fate::Breaks => {
                count(&shared.counts.broken);
                return Ok(());
            }
            Fate::IsLost => {
                count(match way {
                    Way::Requests => &shared.counts.requests_lost,
                    Way::Answers => &shared.counts.answers_lost,
                });
                return swallow(way, from, part).await;
            }
        }
        to.write_all(&part[..length]).await?;
    }
}

/// A direction that is dead: takes everything, and says nothing to the other end.
async fn swallow(way: Way, mut from: OwnedReadHalf, mut part: Vec<u8>) -> io::Result<()> {
    while from.read(&mut part).await? > 0 {}
    match way {
        Way::Requests => Ok(()),
        // The client does not hear of the end either. It ends the connection, some day.
        Way::Answers => std::future::pending().await,
    }
}

/// What becomes of a part of a message.
enum Fate {
    Passes,
    IsLate(Duration),
    Breaks,
    IsLost,
}

fn fate(disturbance: Disturbance, way: Way, breaks_one_in: usize, random: &mut Random) -> Fate {
    match (disturbance, way) {
        (Disturbance::None, _)
        | (Disturbance::AnswersLost, Way::Requests)
        | (Disturbance::RequestsLost, Way::Answers) => Fate::Passes,
        (Disturbance::Slow, _) => {
            let ms = random.next() % (DELAY_MAX_MS + 1);
            Fate::IsLate(Duration::from_millis(ms))
        }
        (Disturbance::Breaking, _) if random.one_in(breaks_one_in) => Fate::Breaks,
        (Disturbance::AnswersLost | Disturbance::RequestsLost, _) if random.one_in(16) => {
            Fate::IsLost
        }
        (Disturbance::Breaking | Disturbance::AnswersLost | Disturbance::RequestsLost, _) => {
            Fate::Passes
        }
        (Disturbance::Mixed, _) if random.one_in(2) => Fate::Passes,
        (Disturbance::Mixed, _) => {
            let any = Disturbance::ALL[random.below(Disturbance::COUNT)];
            fate(any, way, breaks_one_in, random)
        }
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}
