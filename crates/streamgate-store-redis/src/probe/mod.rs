//! The probe: one task per store that checks every primary every few seconds for faults that no
//! call reveals.
//!
//! A round asks each primary for `TIME`, `INFO memory` and `INFO stats` in one message, all
//! primaries at once, within the response timeout. The answers are a [`Round`], which every
//! [`Check`] examines. A check that finds a fault shuts the [`Gate`]: the store refuses all calls,
//! and is not ready, until a later round finds no fault. The log says when that begins and ends. At
//! the start the gate is shut as well, until a round has heard a server and found no fault: a
//! server that comes up after the node is not used before it is checked.
//!
//! The server's time goes to its [`ServerClock`](crate::server_clock::ServerClock). To check
//! something else of primaries, implement [`Check`] and add it to [`checks`]; more of `INFO` is one
//! more section in [`ask`].
//!
//! What is *not* here: whether a server can be reached. Connections find that out by themselves.

mod eviction;
mod gate;
mod info;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::Value;
use redis::aio::ConnectionLike as _;
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

/// The shortest pause between two rounds, in milliseconds, and what is added to it at random, so
/// that the nodes of an installation do not ask in step.
const PAUSE_MS: u64 = 1_500;
const PAUSE_JITTER_MS: u64 = 1_000;

/// The pause while no server has been heard since the start, in milliseconds: calls are refused
/// until one is.
const PAUSE_UNPROVEN_MS: u64 = 200;

/// What one primary answered.
#[derive(Debug)]
pub(crate) struct ProbeAnswer {
    /// The primary.
    pub(crate) address: Address,
    /// Its `INFO`; an error if it refuses to answer it.
    pub(crate) info: Result<Info, Reason>,
}

/// What all primaries answered to one question.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Those that answered.
    pub(crate) heard: Vec<ProbeAnswer>,
    /// Those that did not, as far as their address is known without asking them.
    pub(crate) silent: Vec<Option<Address>>,
}

/// A condition that all primaries must meet.
pub(crate) trait Check: Send + 'static {
    /// Examines a round. Returns why the store must not be used, or `None`. A server that did not
    /// answer keeps its last result.
    fn examine(&mut self, round: &Round) -> Option<Refusal>;
}

/// All checks.
fn checks(settings: &RedisSettings, observer: &Arc<dyn ServerObserver>) -> Vec<Box<dyn Check>> {
    let evictions = Evictions::new(settings.allow_eviction, Arc::clone(observer));
    vec![Box::new(evictions)]
}

/// The task, aborted on drop.
#[derive(Debug)]
pub(crate) struct Probe {
    task: JoinHandle<()>,
}

impl Probe {
    /// Starts the probe; it runs until this is dropped.
    pub(crate) fn start(
        settings: &RedisSettings,
        topology: &Arc<Topology>,
        gate: &Arc<Gate>,
        observer: &Arc<dyn ServerObserver>,
    ) -> Self {
        let (topology, gate) = (Arc::clone(topology), Arc::clone(gate));
        let (timeout, checks) = (settings.response_timeout, checks(settings, observer));
        Self {
            task: tokio::spawn(probe_forever(topology, timeout, gate, checks)),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn probe_forever(
    topology: Arc<Topology>,
    timeout: Duration,
    gate: Arc<Gate>,
    mut checks: Vec<Box<dyn Check>>,
) {
    loop {
        let round = round(&topology, timeout).await;
        // Every check examines every round, because each keeps state.
        let found: Vec<Refusal> = checks
            .iter_mut()
            .filter_map(|it| it.examine(&round))
            .collect();
        match found.into_iter().next() {
            Some(refusal) => gate.shut(refusal),
            // A round that heard no server proves nothing.
            None if gate.is_unproven() && round.heard.is_empty() => {}
            None => gate.open(),
        }
        let pause_ms = if gate.is_unproven() {
            PAUSE_UNPROVEN_MS
        } else {
            PAUSE_MS + random_below(PAUSE_JITTER_MS)
        };
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
}

/// Asks all primaries.
pub(crate) async fn round(topology: &Topology, timeout: Duration) -> Round {
    let primaries = within(timeout, topology.primaries()).await;
    // Without a map of a cluster nothing is known of any server.
    let Ok(primaries) = primaries else {
        return Round {
            silent: vec![None],
            ..Round::default()
        };
    };
    let asked = primaries.iter().map(|primary| async {
        let answered = within(timeout, ask(primary)).await;
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
async fn ask(primary: &Primary) -> Result<ProbeAnswer, Reason> {
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
    let answers = live
        .connection
        .req_packed_commands(&message, 0, count)
        .await;
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
        // Such as a server that is loading: a later round gets its answer.
        Err(why) => return Err(why),
    };
    // Each round asks for the time, so that a missing answer is a silence and not a lack of calls.
    primary.pool.clock.heard(record::timestamp(seconds, micros));
    Ok(ProbeAnswer {
        address: live.address.clone(),
        info,
    })
}
