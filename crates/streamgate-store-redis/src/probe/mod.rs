//! The probe: one task a store that looks at every primary each few seconds, for what no call can
//! notice.
//!
//! A round asks each primary for `TIME`, `INFO memory` and `INFO stats` in one message, all primaries
//! at once, within the response timeout. What they answered is a [`Round`]; every [`Check`] gets to see
//! it. A check that finds something wrong shuts the [`Gate`]: the store refuses all calls, and is not
//! ready, until a later round finds it right. The log tells when that begins and when it ends.
//!
//! The server's clock goes to its [`ServerClock`](crate::server_clock::ServerClock). To learn something else of
//! primaries, implement [`Check`] and add it to [`checks`]. [`Round::last_heard`] says how long ago a
//! server answered before. What else `INFO` says is one section more in [`ask`].
//!
//! What is *not* here: whether a server can be reached. Connections find that out by themselves.

mod eviction;
mod gate;
mod info;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::Value;
use redis::aio::ConnectionLike as _;
use streamgate_clock::Stopwatch;
use streamgate_store::Refusal;
use tokio::task::JoinHandle;

use crate::connection::random_below;
use crate::connection::within;
use crate::observer::ServerObserver;
use crate::reason::Reason;
use crate::record;
use crate::settings::RedisSettings;
use crate::topology::{Primary, Topology};
use crate::url::Address;

use eviction::Evictions;
pub(crate) use eviction::refusal as eviction_refusal;
pub(crate) use gate::Gate;
use info::Info;

/// The shortest pause between two rounds, in milliseconds, and what is added to it at random, so that
/// the nodes of an installation do not ask in step.
const PAUSE_MS: u64 = 1_500;
const PAUSE_JITTER_MS: u64 = 1_000;

/// What one primary answered.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The primary.
    pub(crate) address: Address,
    /// When it was asked, since the probe began.
    pub(crate) asked_at: Duration,
    /// How long its answer took.
    pub(crate) took: Duration,
    /// What it says of itself; an error where it was asked and does not tell.
    pub(crate) info: Result<Info, Reason>,
}

/// What all primaries answered to one question.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Those that answered.
    pub(crate) heard: Vec<Heard>,
    /// Those that did not, as far as their address is known without asking them.
    pub(crate) silent: Vec<Option<Address>>,
    /// When each primary was last heard before this round, since the probe began.
    pub(crate) last_heard: HashMap<Address, Duration>,
}

/// Something that must be so of all primaries.
pub(crate) trait Check: Send + 'static {
    /// Looks at a round. Answers why the store must not be used, or `None` where it may be. A server
    /// that did not answer is no news: what was known of it stays.
    fn look(&mut self, round: &Round) -> Option<Refusal>;
}

/// All checks.
fn checks(settings: &RedisSettings, observer: &Arc<dyn ServerObserver>) -> Vec<Box<dyn Check>> {
    let evictions = Evictions::new(settings.allow_eviction, Arc::clone(observer));
    vec![Box::new(evictions)]
}

/// The task. It ends with this.
#[derive(Debug)]
pub(crate) struct Probe {
    task: JoinHandle<()>,
}

impl Probe {
    /// Begins to look, and goes on until this is dropped.
    pub(crate) fn start(
        settings: &RedisSettings,
        topology: &Arc<Topology>,
        gate: &Arc<Gate>,
        observer: &Arc<dyn ServerObserver>,
    ) -> Self {
        let (topology, gate) = (Arc::clone(topology), Arc::clone(gate));
        let (timeout, checks) = (settings.response_timeout, checks(settings, observer));
        Self {
            task: tokio::spawn(look_forever(topology, timeout, gate, checks)),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look_forever(
    topology: Arc<Topology>,
    timeout: Duration,
    gate: Arc<Gate>,
    mut checks: Vec<Box<dyn Check>>,
) {
    let watch = Stopwatch::start();
    let mut last_heard = HashMap::new();
    loop {
        let mut round = round(&topology, timeout, watch).await;
        let heard = round.heard.iter();
        let now: Vec<_> = heard
            .map(|heard| (heard.address.clone(), heard.asked_at + heard.took))
            .collect();
        round.last_heard = last_heard.clone();
        last_heard.extend(now);
        // All look, whatever the first finds: each keeps what it knows up to date.
        let found: Vec<Refusal> = checks.iter_mut().filter_map(|it| it.look(&round)).collect();
        gate.set(found.into_iter().next());
        if round.silent.is_empty() {
            // A primary that is none any more is forgotten, so that this does not grow for ever.
            last_heard.retain(|at, _| round.heard.iter().any(|heard| heard.address == *at));
        }
        let pause_ms = PAUSE_MS + random_below(PAUSE_JITTER_MS);
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
}

/// Asks all primaries.
pub(crate) async fn round(topology: &Topology, timeout: Duration, watch: Stopwatch) -> Round {
    let primaries = within(timeout, topology.primaries()).await;
    // Without a map of a cluster nothing is known of any server.
    let Ok(primaries) = primaries else {
        return Round {
            silent: vec![None],
            ..Round::default()
        };
    };
    let asked = primaries.iter().map(|primary| async {
        let answered = within(timeout, ask(primary, watch)).await;
        answered.map_err(|_| primary.address.clone())
    });
    let mut round = Round::default();
    for answer in join_all(asked).await {
        match answer {
            Ok(heard) => round.heard.push(heard),
            Err(address) => round.silent.push(address),
        }
    }
    round
}

/// Asks one primary.
async fn ask(primary: &Primary, watch: Stopwatch) -> Result<Heard, Reason> {
    let connection = primary.pool.next();
    let mut live = connection.live().await?;
    let mut message = redis::pipe();
    message
        .cmd("TIME")
        .cmd("INFO")
        .arg("memory")
        .cmd("INFO")
        .arg("stats");
    let count = message.len();
    let asked_at = watch.elapsed();
    let answers = live
        .connection
        .req_packed_commands(&message, 0, count)
        .await;
    let took = watch.elapsed() - asked_at;
    let told = |error: &redis::RedisError| {
        connection.report(&live, error);
        Reason::of(error).at(&live.address)
    };
    let mut answers = answers.map_err(|error| told(&error))?.into_iter();
    let mut next = || {
        let answer = answers.next().unwrap_or(Value::Nil);
        answer.extract_error().map_err(|error| told(&error))
    };
    let (seconds, micros): (u64, u64) = redis::from_redis_value(next()?)
        .map_err(|error| Reason::transient(error.to_string()).at(&live.address))?;
    let sections: Result<Vec<Value>, Reason> = [next(), next()].into_iter().collect();
    let info = match sections {
        Ok(sections) => Ok(Info::read(&sections)),
        Err(why) if why.is_permanent() => Err(why),
        // Such as a server that is loading: it will tell.
        Err(why) => return Err(why),
    };
    // Asked regularly, so that a silence or a leap is one and not a lack of calls.
    primary.pool.clock.heard(record::timestamp(seconds, micros));
    Ok(Heard {
        address: live.address.clone(),
        asked_at,
        took,
        info,
    })
}
