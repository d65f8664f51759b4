//! A TCP proxy between a node and its store, that spoils what goes through it as long as the
//! weather is bad.
//!
//! It does to a connection only what networks do. No bytes are lost from the middle of one: a
//! direction that has swallowed anything stays dead until the connection ends, also in better
//! weather.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How long a part of a message is held back at most, in milliseconds.
const DELAY_MAX_MS: u64 = 60;

/// What becomes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// They go through.
    Clear,
    /// They are late.
    Slow,
    /// Connections break: before the server has the request, or before the answer is there.
    Breaking,
    /// Requests reach the server, their answers get lost. Connections stay open.
    Mute,
    /// Connections are taken, requests get lost.
    Deaf,
    /// Any of these, now and then.
    Mixed,
}

impl Weather {
    /// How many there are.
    pub(crate) const COUNT: usize = 6;

    const ALL: [Self; Self::COUNT] = [
        Self::Clear,
        Self::Slow,
        Self::Breaking,
        Self::Mute,
        Self::Deaf,
        Self::Mixed,
    ];

    /// All, in an order that looks random.
    pub(crate) fn shuffled(random: &mut Random) -> [Self; Self::COUNT] {
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
    muted: AtomicUsize,
    deafened: AtomicUsize,
}

struct Shared {
    server: u16,
    seed: u64,
    breaks_one_in: usize,
    weather: Mutex<Weather>,
    counts: Counts,
}

/// A proxy on a port of its own. It and its connections end with the runtime.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before the server on this port of loopback. The weather is clear. Where it breaks
    /// connections, one part of a message in so many does it.
    pub(crate) async fn before(server: u16, seed: u64, breaks_one_in: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server,
            seed,
            breaks_one_in,
            weather: Mutex::new(Weather::Clear),
            counts: Counts::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            port,
            shared,
            accepting,
        }
    }

    pub(crate) fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap() = weather;
    }

    /// What was spoiled: messages delayed, connections broken, answers lost, requests lost.
    pub(crate) fn spoiled(&self) -> [usize; 4] {
        let counts = &self.shared.counts;
        [
            &counts.delayed,
            &counts.broken,
            &counts.muted,
            &counts.deafened,
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
            // Whatever ends a connection ends it for both.
            let _ = carry(client, random, &shared).await;
        });
    }
}

/// Carries a connection until one side ends it, or the weather does.
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
        let weather = *shared.weather.lock().unwrap();
        match fate(weather, way, shared.breaks_one_in, &mut random) {
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
                    Way::Requests => &shared.counts.deafened,
                    Way::Answers => &shared.counts.muted,
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

fn fate(weather: Weather, way: Way, breaks_one_in: usize, random: &mut Random) -> Fate {
    match (weather, way) {
        (Weather::Clear, _) | (Weather::Mute, Way::Requests) | (Weather::Deaf, Way::Answers) => {
            Fate::Passes
        }
        (Weather::Slow, _) => {
            let ms = random.next() % (DELAY_MAX_MS + 1);
            Fate::IsLate(Duration::from_millis(ms))
        }
        (Weather::Breaking, _) if random.one_in(breaks_one_in) => Fate::Breaks,
        (Weather::Mute | Weather::Deaf, _) if random.one_in(16) => Fate::IsLost,
        (Weather::Breaking | Weather::Mute | Weather::Deaf, _) => Fate::Passes,
        (Weather::Mixed, _) if random.one_in(2) => Fate::Passes,
        (Weather::Mixed, _) => {
            let any = Weather::ALL[random.below(Weather::COUNT)];
            fate(any, way, breaks_one_in, random)
        }
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Numbers that look random and are the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Names the seed of an earlier run.
const SEED_VARIABLE: &str = "STREAMGATE_TEST_SEED";

/// A seed of the moment, or that of an earlier run. It is printed, so that a failure can be
/// repeated as far as threads and sockets let it.
#[expect(
    clippy::print_stdout,
    reason = "what a failure is repeated with must be told"
)]
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    println!("{SEED_VARIABLE}={seed}");
    seed
}
