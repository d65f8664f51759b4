//! One run of one subject over HTTP: a fresh server, the sessions that must exist before, the load.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use streamgate_loadgen::figures::float;
use streamgate_loadgen::workload::{Batches, Heartbeats, Starts, Stops};
use streamgate_loadgen::{Api, Load, Measured};

use super::others;
use super::table::{Doing, Figure, Server as Kind, Subject};
use crate::Result;
use crate::load::{BATCH, Call, SLOTS, population, span};
use crate::servers::Server;

/// How hard and how long.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Plan {
    pub(super) rounds: u32,
    /// How long each run counts.
    pub(super) seconds: f64,
    /// How long it runs before that.
    pub(super) warm_up_s: f64,
    /// Of closed loops.
    pub(super) connections: usize,
    /// Users with sessions for heartbeats; starts are of ever new users.
    pub(super) users: u64,
    /// The binaries of Streamgate.
    pub(super) builds: Vec<PathBuf>,
    /// Where servers keep their data.
    #[serde(skip)]
    pub(super) dir: PathBuf,
}

/// Keep-alive connections of open loops.
///
/// Each carries one request at a time. Over 64 of them, 50,000 requests a second are sent when they
/// are due only as long as answers come within 1.28 ms on average: beyond that the connections
/// would be measured. These bear 5.12 ms.
pub(super) const CONNECTIONS_AT_A_RATE: usize = 256;

/// What one run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Round {
    /// User and system time of the server a request, in microseconds.
    pub(super) cpu_us: f64,
    pub(super) requests_per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// `redis-benchmark` does not tell it.
    pub(super) p99_9_ms: Option<f64>,
    /// Resident memory of the server at the end.
    pub(super) memory_bytes: Option<u64>,
    /// Everything that the load generator measured.
    pub(super) measured: Option<Measured>,
}

/// What starts say of their session.
const METADATA: &str =
    r#"{"device_id":"tv-7f3a","content_id":"film-1917","attributes":{"app":"3.2"}}"#;

/// How much longer sessions are started than stops are measured: a stop has less to do.
const STOPS_AHEAD: f64 = 1.5;

/// Least processor time that says something: the kernel counts it in hundredths of a second.
const CPU_S_MIN: f64 = 0.03;

/// How often a run is tried that came to less.
const ATTEMPTS: u32 = 10;

impl Figure {
    /// The figure of a round, if it has it.
    pub(super) fn of(self, round: &Round) -> Option<f64> {
        match self {
            Self::CpuUs => Some(round.cpu_us),
            Self::RequestsPerS => Some(round.requests_per_s),
            Self::P50Ms => Some(round.p50_ms),
            Self::P99Ms => Some(round.p99_ms),
            Self::P999Ms => round.p99_9_ms,
            Self::MemoryMib => round.memory_bytes.map(|bytes| float(bytes) / 1_048_576.0),
            Self::GeneratorBusy => round.measured.as_ref().map(|it| it.generator.busy),
        }
    }
}

/// Runs a subject once. A run in which the server hardly ran, as when the whole machine stood
/// still, has measured nothing, and is done again.
pub(super) fn run(subject: &Subject, plan: &Plan) -> Result<Round> {
    let name = &subject.name;
    let mut measured = String::new();
    for _ in 0..ATTEMPTS {
        let round = match subject.server {
            Kind::Disk | Kind::BusyDisk => others::disk(subject.server == Kind::BusyDisk, plan),
            Kind::Axum | Kind::Streamgate => over_http(subject, plan),
            Kind::RedisNone => others::redis(None, plan),
            Kind::RedisEverysec => others::redis(Some("everysec"), plan),
            Kind::RedisAlways => others::redis(Some("always"), plan),
        };
        let round = round.map_err(|error| format!("{name}: {error}; the comparison is void"))?;
        // Only a server has a processor time that must be long enough.
        let cpu_s = round.cpu_us * round.requests_per_s * plan.seconds / 1e6;
        let has_run = cpu_s >= CPU_S_MIN || round.memory_bytes.is_none();
        if has_run && round.p99_ms > 0.0 {
            return Ok(round);
        }
        measured = format!(
            "{:.0} ms of processor time in {} s, p99 {:.2} ms",
            cpu_s * 1e3,
            plan.seconds,
            round.p99_ms
        );
    }
    let advice = "it ran too little to be measured; give it more --seconds";
    Err(format!("{name}: {measured}: {advice}").into())
}

fn over_http(subject: &Subject, plan: &Plan) -> Result<Round> {
    let dir = tempfile::tempdir_in(&plan.dir)?;
    let server = match subject.server {
        Kind::Axum => Server::bare(dir.path())?,
        _ => Server::streamgate(&plan.builds[subject.build], dir.path(), &[])?,
    };
    let population = population("bench-", 0)?;
    let api = Api::new(&server.target, population, server.key.as_deref())?;
    let api = Arc::new(api.with_metadata(METADATA));
    let call = |answers: &'static [&'static str]| -> Result<Call<'_>> {
        Ok(Call {
            target: &server.target,
            connections: match subject.per_second {
                None => plan.connections,
                Some(_) => CONNECTIONS_AT_A_RATE,
            },
            meters: vec![server.meter()?],
            answers,
        })
    };
    let (starts, renews, stops) = (call(&["201"])?, call(&["200"])?, call(&["204"])?);
    let (total, mut warm_up_s) = (plan.users * SLOTS.sessions_per_user, plan.warm_up_s);
    let ever = || Box::new(Starts::ever(Arc::clone(&api), SLOTS));
    let (call, load): (_, Box<dyn Load>) = match subject.does {
        Doing::Start => (&starts, ever()),
        Doing::Heartbeat | Doing::Batch => {
            starts.all(Starts::fill(Arc::clone(&api), SLOTS, total))?;
            let api = Arc::clone(&api);
            match subject.does {
                Doing::Batch => (&renews, Box::new(Batches::new(api, SLOTS, total, BATCH))),
                _ => (&renews, Box::new(Heartbeats::new(api, SLOTS, total))),
            }
        }
        Doing::Stop => {
            let ahead = span(warm_up_s, plan.seconds * STOPS_AHEAD)?;
            let done = starts.run(ever(), None, ahead)?;
            // The server is warm, and stops before the span would be missing in it.
            warm_up_s = 0.0;
            (&stops, Box::new(Stops::of(Arc::clone(&api), done.left)))
        }
        Doing::Fdatasync => return Err("a server over HTTP has nothing to sync".into()),
    };
    let span = span(warm_up_s, plan.seconds)?;
    let measured = call.run(load, subject.per_second, span)?.measured;
    let used = measured
        .servers
        .first()
        .ok_or("a server that runs can be measured")?;
    Ok(Round {
        cpu_us: used.cpu_us_per_request,
        requests_per_s: measured.requests_per_s,
        p50_ms: measured.latency_ms.p50,
        p99_ms: measured.latency_ms.p99,
        p99_9_ms: Some(measured.latency_ms.p99_9),
        memory_bytes: Some(used.used.resident_bytes),
        measured: Some(measured),
    })
}
