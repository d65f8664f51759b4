//! How Streamgate grows: the same load on few users and on many, and the restart, the memory and
//! the disk that their sessions take.
//!
//! The sessions are put into data directories by the engine's own decisions, without HTTP, because
//! twenty million starts would take longer than all the rest. What is measured is the real binary
//! on these directories, all servers at the same time, called in turn.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use streamgate_clock::{Stopwatch, SystemClock};
use streamgate_core::admission::{Start, StartOutcome};
use streamgate_core::{Policy, Seconds, SessionId, TenantId, UserId, UserKey};
use streamgate_engine::{Engine, EngineSettings, NoObserver, RandomIds};
use streamgate_loadgen::figures::float;
use streamgate_loadgen::report::{Report, Section, Table};
use streamgate_loadgen::workload::{Batches, Heartbeats, Slots, StartStop, Stops};
use streamgate_loadgen::{Api, Load, Measured, Population, Share};
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore, LogObserver};
use tempfile::TempDir;

use crate::figures::{disk_bytes, median, ratios};
use crate::load::{BATCH, Call, population, span};
use crate::servers::{Server, data_of};
use crate::{Places, Result};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many users there are; the figures of the first are what the others are divided by
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000,10000000")]
    users: Vec<u64>,
    /// Live sessions of each user
    #[arg(long, default_value_t = 2)]
    sessions: u64,
    /// How users' ids begin; seven characters follow
    #[arg(long, default_value = "grow-x")]
    prefix: String,
    /// How often all is called in turn; the figures are medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// How long each run counts, in seconds
    #[arg(long, default_value_t = 3.0, value_parser = crate::seconds)]
    seconds: f64,
    #[command(flatten)]
    places: Places,
}

/// How much more a call may cost with the most users.
const GOAL: f64 = 1.3;

/// Keep-alive connections.
const CONNECTIONS: usize = 64;

/// How long each run goes on before it counts, in seconds.
const WARM_UP_S: f64 = 0.5;

/// Sessions live longer than the measurement: most of them are never called.
const LEASE_S: u32 = 6 * 60 * 60;

/// What is done.
const DOING: [&str; 3] = ["heartbeat", "heartbeat, 1,000 in a call", "start or stop"];

/// Users with live sessions, and their server.
#[derive(Serialize)]
struct Crowd {
    users: u64,
    sessions: u64,
    /// From the start of the process until it listens, with all sessions in memory.
    ready_s: f64,
    /// What the data takes on the disk.
    disk_bytes: u64,
    /// Resident memory before the first call.
    memory_bytes: u64,
    /// By round, then in the order of [`DOING`].
    rounds: Vec<[Measured; DOING.len()]>,
    #[serde(skip)]
    server: Server,
    #[serde(skip)]
    _dir: TempDir,
}

/// Measures, writes both files, and returns what to print.
pub(crate) fn run(arguments: &Arguments) -> Result<String> {
    let binary = arguments.places.binary()?;
    let mut crowds = Vec::new();
    for users in &arguments.users {
        crowds.push(Crowd::gather(*users, arguments, &binary)?);
    }
    for round in 1..=arguments.rounds {
        // In turn: what else the machine does falls on all servers alike.
        for crowd in &mut crowds {
            crowd.call(arguments, round)?;
        }
    }
    let notes = vec![format!(
        "Medians of {} rounds of {} s, in turn. Asked: at most {GOAL} times the processor time \
         with the fewest users.",
        arguments.rounds, arguments.seconds
    )];
    let report = Report {
        title: "Streamgate, few users and many".to_owned(),
        subtitle: format!("Live sessions of each user: {}.", arguments.sessions),
        sections: vec![Section::table("All figures", table(&crowds))],
        notes,
    };
    let data = json!({ "doing": DOING, "crowds": crowds });
    Ok(report.write(&arguments.places.out, "growth", &data)?)
}

impl Crowd {
    /// Puts the sessions on the disk, and starts a server on them.
    fn gather(users: u64, arguments: &Arguments, binary: &Path) -> Result<Self> {
        let dir = arguments.places.data()?;
        let data = data_of(dir.path());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()?;
        let population = population(&arguments.prefix, 0)?;
        runtime.block_on(fill(&data, &population, users, arguments.sessions))?;
        let disk_bytes = disk_bytes(&data)?;
        let watch = Stopwatch::start();
        let settings = [format!("policy.lease_s={LEASE_S}")];
        let server = Server::streamgate(binary, dir.path(), &settings)?;
        Ok(Self {
            users,
            sessions: users * arguments.sessions,
            ready_s: watch.elapsed().as_secs_f64(),
            disk_bytes,
            memory_bytes: server.meter()?.read()?.resident_bytes,
            rounds: Vec::new(),
            server,
            _dir: dir,
        })
    }

    /// Calls the server in every way, each for a while.
    fn call(&mut self, arguments: &Arguments, round: u32) -> Result<()> {
        let target = &self.server.target;
        let api = |round| -> Result<Arc<Api>> {
            let population = population(&arguments.prefix, round)?;
            let key = self.server.key.as_deref();
            Ok(Arc::new(Api::new(target, population, key)?))
        };
        let (live, others) = (api(0)?, api(u64::from(round))?);
        let slots = slots(arguments.sessions);
        let call = Call {
            target,
            connections: CONNECTIONS,
            meters: vec![self.server.meter()?],
            answers: &["200", "201", "204"],
        };
        let span = span(WARM_UP_S, arguments.seconds)?;
        let run = |load: Box<dyn Load>| call.run(load, None, span);
        let total = self.sessions;
        let beats = run(Box::new(Heartbeats::new(Arc::clone(&live), slots, total)))?;
        let batches = run(Box::new(Batches::new(live, slots, total, BATCH)))?;
        let starts = StartStop::new(Arc::clone(&others), Share::ALL, self.users);
        let starts = run(Box::new(starts))?;
        // A user whose session goes on would have no slot free in the next round.
        let call = Call {
            answers: &["204"],
            ..call
        };
        call.all(Stops::of(others, starts.left))?;
        self.rounds
            .push([beats.measured, batches.measured, starts.measured]);
        Ok(())
    }

    /// The server's processor time for one, in microseconds, by round.
    fn cpu_us(&self, doing: usize) -> Vec<f64> {
        let servers = self
            .rounds
            .iter()
            .filter_map(|round| round[doing].servers.first());
        servers.map(|server| server.cpu_us_per_request).collect()
    }

    fn a_session(&self, bytes: u64) -> f64 {
        float(bytes) / float(self.sessions)
    }
}

fn slots(sessions_per_user: u64) -> Slots {
    Slots {
        share: Share::ALL,
        sessions_per_user,
    }
}

/// A row for each number of users; processor time also as a multiple of the first row's.
fn table(crowds: &[Crowd]) -> Table {
    let mut heads = vec!["users".to_owned()];
    heads.extend(
        DOING
            .iter()
            .flat_map(|doing| [format!("{doing}, µs CPU"), "×".to_owned()]),
    );
    let sizes = [
        "bytes of memory a session",
        "bytes of disk a session",
        "ready after, s",
    ];
    heads.extend(sizes.map(str::to_owned));
    let mut table = Table::default();
    table.row(heads);
    for crowd in crowds {
        let mut row = vec![crowd.users.to_string()];
        for place in 0..DOING.len() {
            let cpu_us = crowd.cpu_us(place);
            let times = ratios(&cpu_us, &crowds[0].cpu_us(place));
            row.extend([median(&cpu_us), median(&times)].map(|it| format!("{it:.2}")));
        }
        row.push(format!("{:.1}", crowd.a_session(crowd.memory_bytes)));
        row.push(format!("{:.1}", crowd.a_session(crowd.disk_bytes)));
        row.push(format!("{:.2}", crowd.ready_s));
        table.row(row);
    }
    table
}

/// Tells when a snapshot is in place.
struct Snapshots(Mutex<Sender<()>>);

impl LogObserver for Snapshots {
    fn snapshot_written(&self, _: u64, _: u64, _: Duration) {
        // Fails once the directory is filled, when no snapshot is waited for.
        let _ = self.0.lock().send(());
    }
}

/// Starts sessions of each user in a data directory, and stops with a snapshot of them all.
async fn fill(dir: &Path, population: &Population, users: u64, sessions: u64) -> Result<()> {
    let (sender, snapshots) = channel();
    let config = EmbeddedConfig {
        // Filling is not measured; the files are the same afterwards.
        durability: DurabilityMode::None,
        ..EmbeddedConfig::new(dir)
    };
    let store = Arc::new(EmbeddedStore::open(
        config,
        Arc::new(SystemClock::new()),
        Arc::new(Snapshots(Mutex::new(sender))),
        Arc::new(|error| panic!("the store failed: {error}")),
    )?);
    let policy = Policy {
        lease: Seconds(LEASE_S),
        ..Policy::default()
    };
    let engine = Engine::new(
        Arc::clone(&store) as _,
        Arc::new(policy),
        Arc::new(RandomIds),
        Arc::new(NoObserver),
        EngineSettings::default(),
    );
    let (tenant, slots) = (TenantId::default_tenant(), slots(sessions));
    // The second session of a user comes long after the first, as in real use: its record has to be
    // found again.
    for place in (0..sessions).flat_map(|turn| (0..users).map(move |user| user * sessions + turn)) {
        let session = slots.session(place, 0);
        let (mut user, mut id) = (Vec::new(), Vec::new());
        population.write_user(session.user, &mut user);
        population.write_session(session, &mut id);
        let user = UserKey::new(&tenant, &UserId::new(std::str::from_utf8(&user)?)?);
        let start = Start::new(SessionId::new(std::str::from_utf8(&id)?)?);
        let answered = engine.start(&user, &start).await?;
        if !matches!(answered.outcome, StartOutcome::Admitted(_)) {
            return Err(format!("a session was not admitted: {:?}", answered.outcome).into());
        }
    }
    // One that is being written does not have them all; the next one has.
    while snapshots.try_recv().is_ok() {}
    store.request_snapshot();
    snapshots.recv()?;
    engine.close().await?;
    Ok(())
}
