//! What calls cost a node, and a Redis server behind it, in processor time: the real binary, called
//! over HTTP by players that wait for each answer.
//!
//! Processor time is what the processes themselves took, so that it does not matter who else uses
//! the machine, nor what the players cost. Calls a second are what this machine did with all of
//! them on it, and no more than that.

mod http;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use streamgate_clock::Stopwatch;

use crate::Result;
use crate::meter::median;
use crate::servers::{Node, Redis, binary_beside};
use crate::table::Table;
use http::{Calls, drive};

/// How many heartbeats one call brings, where calls bring many.
const BATCH: u64 = 100;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The binary; unless named, that of the same build as this.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The embedded store instead of Redis.
    #[arg(long)]
    embedded: bool,
    /// How often all is repeated; the figures are medians.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How many users call in each round, each with one session.
    #[arg(long, default_value_t = 20_000)]
    users: u64,
    /// How many players call at the same time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Another node writes between any two calls about a user, as where a balancer goes round.
    #[arg(long, conflicts_with = "embedded")]
    any_node: bool,
    /// How many replicas the Redis server has.
    #[arg(long, default_value_t = 0)]
    replicas: u32,
    /// A setting of the nodes. With `store.url=…` they use servers that run already, and those are
    /// not looked at.
    #[arg(long)]
    set: Vec<String>,
}

/// What players do, in the order in which they are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Start,
    StartRefused,
    Heartbeat,
    HeartbeatsInBatches,
    LazyHeartbeat,
    Stop,
}

impl Doing {
    const ALL: [Self; 6] = [
        Self::Start,
        Self::StartRefused,
        Self::Heartbeat,
        Self::HeartbeatsInBatches,
        Self::LazyHeartbeat,
        Self::Stop,
    ];

    fn name(self) -> String {
        match self {
            Self::Start => "start".to_owned(),
            Self::StartRefused => "start, refused".to_owned(),
            Self::Heartbeat => "heartbeat".to_owned(),
            Self::HeartbeatsInBatches => format!("heartbeat, {BATCH} in one call"),
            Self::LazyHeartbeat => "heartbeat that needs no write".to_owned(),
            Self::Stop => "stop".to_owned(),
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::Start => 201,
            Self::StartRefused => 409,
            Self::Stop => 204,
            _ => 200,
        }
    }

    /// How many of them one call brings.
    const fn in_one_call(self) -> u64 {
        match self {
            Self::HeartbeatsInBatches => BATCH,
            _ => 1,
        }
    }
}

/// The calls of one round.
struct Round {
    doing: Doing,
    round: u32,
}

impl Calls for Round {
    fn call(&self, number: u64) -> (&'static str, String, String) {
        let round = self.round;
        let user = |number: u64| format!("user-{round:03}-{number:08}");
        // Any UUID will do, as long as it is the same for the whole life of the session.
        let session = |number: u64| format!("00000000-0000-4000-8000-{number:012x}");
        let path = |end: &str| {
            let (user, session) = (user(number), session(number));
            format!("/v1/users/{user}/sessions/{session}{end}")
        };
        match self.doing {
            Doing::Start => ("PUT", path(""), String::new()),
            Doing::StartRefused => ("PUT", path("-other"), String::new()),
            Doing::Heartbeat | Doing::LazyHeartbeat => ("POST", path("/heartbeat"), String::new()),
            Doing::HeartbeatsInBatches => {
                let entry = |number: u64| {
                    let (user, session) = (user(number), session(number));
                    format!(r#"{{"user_id":"{user}","session_id":"{session}"}}"#)
                };
                let entries: Vec<String> =
                    (number * BATCH..(number + 1) * BATCH).map(entry).collect();
                let body = format!(r#"{{"heartbeats":[{}]}}"#, entries.join(","));
                ("POST", "/v1/heartbeats".to_owned(), body)
            }
            Doing::Stop => ("DELETE", path(""), String::new()),
        }
    }
}

/// What one round of one thing took; each figure is for one of them.
#[derive(Debug, Clone, Copy)]
struct Took {
    node_us: f64,
    redis_us: f64,
    scripts: f64,
    per_s: f64,
}

/// Measures everything and returns the table.
pub(crate) fn run(arguments: &Arguments) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(measure(arguments))
}

/// The nodes, and the server behind them where it is one that this started.
struct Setup {
    node: Node,
    /// The same with heartbeat_write_interval; there is none over the embedded store.
    lazy: Option<Node>,
    /// Those that write in between, as these two.
    others: Option<(Node, Node)>,
    redis: Option<Redis>,
    _replicas: Vec<Redis>,
}

impl Setup {
    async fn start(arguments: &Arguments) -> Result<Self> {
        let binary = arguments.binary.clone().map_or_else(binary_beside, Ok)?;
        let is_url = |setting: &String| setting.starts_with("store.url=");
        let (mut redis, mut replicas) = (None, Vec::new());
        if !arguments.embedded && !arguments.set.iter().any(is_url) {
            let primary = Redis::start().await?;
            for _ in 0..arguments.replicas {
                replicas.push(primary.start_replica().await?);
            }
            redis = Some(primary);
        }
        let mut settings = arguments.set.clone();
        settings.push("policy.default_limit=1".to_owned());
        settings.extend(
            redis
                .as_ref()
                .map(|redis| format!("store.url={}", redis.url())),
        );
        let mut lazily = settings.clone();
        lazily.push("policy.heartbeat_write_interval_s=600".to_owned());
        let start = |settings: &Vec<String>| Node::start(&binary, settings);
        Ok(Self {
            node: start(&settings)?,
            lazy: (!arguments.embedded).then(|| start(&lazily)).transpose()?,
            others: match arguments.any_node {
                true => Some((start(&settings)?, start(&lazily)?)),
                false => None,
            },
            redis,
            _replicas: replicas,
        })
    }

    /// Which node heartbeats go through before this is measured.
    fn before(&self, doing: Doing) -> Option<SocketAddr> {
        match (doing, &self.others) {
            (Doing::Start, _) => None,
            // Leases that another policy granted are shorter: the first makes them longer.
            (Doing::LazyHeartbeat, None) => self.lazy.as_ref().map(|lazy| lazy.address),
            (Doing::LazyHeartbeat, Some((_, lazy))) => Some(lazy.address),
            (Doing::Stop, None) => Some(self.node.address),
            (_, None) => None,
            (_, Some((other, _))) => Some(other.address),
        }
    }

    fn cpu(&self, of: &Node) -> Result<[f64; 3]> {
        Ok(match &self.redis {
            Some(redis) => [of.cpu_s()?, redis.cpu_s()?, redis.scripts()?],
            None => [of.cpu_s()?, 0.0, 0.0],
        })
    }
}

async fn measure(arguments: &Arguments) -> Result<String> {
    let setup = Setup::start(arguments).await?;
    let mut took: Vec<Vec<Took>> = vec![Vec::new(); Doing::ALL.len()];
    for round in 0..arguments.rounds {
        for (doing, took) in Doing::ALL.into_iter().zip(&mut took) {
            let node = match (doing, &setup.lazy) {
                (Doing::LazyHeartbeat, None) => continue,
                (Doing::LazyHeartbeat, Some(lazy)) => lazy,
                _ => &setup.node,
            };
            let calls = Arc::new(Round { doing, round });
            let count = arguments.users / doing.in_one_call();
            let (to, connections) = (node.address, arguments.connections);
            if let Some(before) = setup.before(doing) {
                let calls = Arc::new(Round {
                    doing: Doing::Heartbeat,
                    round,
                });
                drive(before, connections, arguments.users, calls, 200).await?;
            }
            let (before, watch) = (setup.cpu(node)?, Stopwatch::start());
            drive(to, connections, count, calls, doing.status()).await?;
            let (after, seconds) = (setup.cpu(node)?, watch.elapsed().as_secs_f64());
            #[expect(clippy::cast_precision_loss, reason = "figures for people")]
            let all = (count * doing.in_one_call()) as f64;
            let each = |at: usize| (after[at] - before[at]) / all;
            took.push(Took {
                node_us: each(0) * 1e6,
                redis_us: each(1) * 1e6,
                scripts: each(2),
                per_s: all / seconds,
            });
        }
    }
    Ok(table(&setup, &took))
}

/// The medians of the rounds.
fn table(setup: &Setup, took: &[Vec<Took>]) -> String {
    let mut table = Table::new(&[
        "each",
        "node CPU µs",
        "Redis CPU µs",
        "calls to Redis",
        "a second, here",
    ]);
    for (doing, took) in Doing::ALL.into_iter().zip(took) {
        if took.is_empty() {
            continue;
        }
        let of = |value: fn(&Took) -> f64| median(took.iter().map(value).collect());
        let redis = |text: String| match &setup.redis {
            Some(_) => text,
            None => "–".to_owned(),
        };
        table.row(vec![
            doing.name(),
            format!("{:.1}", of(|took| took.node_us)),
            redis(format!("{:.1}", of(|took| took.redis_us))),
            redis(format!("{:.2}", of(|took| took.scripts))),
            format!("{:.0}", of(|took| took.per_s)),
        ]);
    }
    table.to_markdown()
}
