//! A crowd of users, the server that has them, and what it took to call it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use streamgate_clock::Stopwatch;
use streamgate_core::{Policy, Seconds};
use streamgate_loadgen::workload::{Batches, Heartbeats, StartStop, Stops};
use streamgate_loadgen::{
    Api, Closed, Drive, Measured, Population, Requests, Share, Span, Stop, Target,
};
use tempfile::TempDir;

use super::fill::{SLOTS, fill};
use crate::Result;
use crate::meter::disk_bytes;
use crate::servers::{BATCH, Node};

/// How hard and how long.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    /// How long each run counts.
    pub(crate) seconds: f64,
}

/// Keep-alive connections.
const CONNECTIONS: usize = 64;

/// How long each run goes on before it counts.
const WARM_UP: Duration = Duration::from_millis(500);

/// Sessions live as long as anybody measures: most of them are never called.
const LEASE_S: u32 = 6 * 60 * 60;

/// What makes the ids; any numbers do.
const SEED: u64 = 7;
const IDS_MADE_MS: u64 = 1_795_242_600_000;

/// Marks of users' ids come round after so many seeds: the same users, other sessions.
const MARKS: u64 = 36 * 36;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Doing {
    Heartbeat,
    HeartbeatInBatch,
    StartStop,
}

impl Doing {
    pub(crate) const ALL: [Self; 3] = [Self::Heartbeat, Self::HeartbeatInBatch, Self::StartStop];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::HeartbeatInBatch => "heartbeat, 1,000 in a call",
            Self::StartStop => "start or stop",
        }
    }

    /// The answers that there must be, and no others.
    const fn answers(self) -> &'static [&'static str] {
        match self {
            Self::Heartbeat | Self::HeartbeatInBatch => &["200"],
            Self::StartStop => &["201", "204"],
        }
    }
}

/// Users with live sessions, and their server.
pub(crate) struct Crowd {
    pub(crate) users: u64,
    /// From the start of the process to its word that it listens, with all sessions in memory.
    pub(crate) ready_s: f64,
    /// What the data take on the disk.
    pub(crate) disk_bytes: u64,
    /// Resident memory before the first call.
    pub(crate) memory_bytes: u64,
    /// By round, and what was done.
    pub(crate) rounds: Vec<[Measured; Doing::ALL.len()]>,
    /// Ends before the directory does.
    node: Node,
    _dir: TempDir,
}

impl Crowd {
    /// Puts the sessions on the disk, and starts a server on them.
    pub(crate) fn gather(users: u64, binary: &Path, dir: &Path) -> Result<Self> {
        let dir = tempfile::tempdir_in(dir)?;
        let data = dir.path().join("data");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let policy = Policy {
            lease: Seconds(LEASE_S),
            ..Policy::default()
        };
        runtime.block_on(fill(&data, &population(0)?, users, policy))?;
        let disk_bytes = disk_bytes(&data)?;
        let watch = Stopwatch::start();
        let node = Node::start_on(binary, &data, &[format!("policy.lease_s={LEASE_S}")])?;
        Ok(Self {
            users,
            ready_s: watch.elapsed().as_secs_f64(),
            disk_bytes,
            memory_bytes: node.meter()?.read()?.resident_bytes,
            rounds: Vec::new(),
            node,
            _dir: dir,
        })
    }

    /// Live sessions.
    pub(crate) fn sessions(&self) -> u64 {
        self.users * SLOTS.sessions_per_user
    }

    /// Calls the server in every way, each for a while.
    pub(crate) fn call(&mut self, plan: &Plan, round: u32) -> Result<()> {
        let target = Target::parse(&format!("http://{}", self.node.address))?;
        let total = self.sessions();
        let live = Arc::new(Api::new(&target, population(0)?, None)?);
        let others = population(u64::from(round))?;
        let others = Arc::new(Api::new(&target, others, None)?);
        let beats = Heartbeats::new(Arc::clone(&live), SLOTS, total);
        let batches = Batches::new(live, SLOTS, total, BATCH);
        let starts = StartStop::new(Arc::clone(&others), Share::ALL, self.users);
        let (heartbeat, _) = self.drive(plan, Doing::Heartbeat, beats, &target)?;
        let (batch, _) = self.drive(plan, Doing::HeartbeatInBatch, batches, &target)?;
        let (start_stop, done) = self.drive(plan, Doing::StartStop, starts, &target)?;
        self.rounds.push([heartbeat, batch, start_stop]);
        // Who is still watching would have no slot free in the next round.
        let stops = Closed(Stops::of(others, done.left()));
        let drive = Drive::new(target, CONNECTIONS);
        drive.run(vec![stops], Span::all(), &Stop::default(), &mut |_| {})?;
        Ok(())
    }

    fn drive<R: Requests>(
        &self,
        plan: &Plan,
        doing: Doing,
        requests: R,
        target: &Target,
    ) -> Result<(Measured, R)> {
        let mut drive = Drive::new(target.clone(), CONNECTIONS);
        drive.servers = vec![self.node.meter()?];
        let span = Span::of(WARM_UP, Duration::try_from_secs_f64(plan.seconds)?);
        let driven = drive.run(vec![Closed(requests)], span, &Stop::default(), &mut |_| {})?;
        let measured = Measured::of(&driven, &drive.servers);
        let is_asked_for = |(name, _): (&String, &u64)| doing.answers().contains(&name.as_str());
        if measured.requests == 0 || !measured.outcomes.iter().all(is_asked_for) {
            let (users, what) = (self.users, doing.name());
            let outcomes = &measured.outcomes;
            return Err(format!("{users} users, {what}: not all went well: {outcomes:?}").into());
        }
        let load = driven.loads.into_iter().next();
        Ok((measured, load.expect("one load comes back").0))
    }
}

/// The users; sessions of another round are others.
fn population(round: u64) -> Result<Population> {
    Ok(Population::new("grow-", SEED + round * MARKS, IDS_MADE_MS)?)
}
