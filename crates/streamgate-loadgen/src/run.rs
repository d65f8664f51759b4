//! A run against a Streamgate server: ramp, measured load, cleanup.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::{Api, BadKey};
use crate::drive::{Drive, DriveError, Driven};
use crate::figures::float;
use crate::latency::round;
use crate::load::{Left, Load, Outcome};
use crate::messages::Stop;
use crate::pace::{Paced, Share};
use crate::population::{BadPrefix, Population};
use crate::process::ProcessMeter;
use crate::record::{Second, Span};
use crate::summary::Measured;
use crate::target::Target;
use crate::workload::{
    Audience, Batches, Heartbeats, Live, Slots, StartStop, Starts, Stops, Workload,
};

/// The longest run, and the longest ramp, so that a forgotten run ends.
pub const DURATION_MAX: Duration = Duration::from_secs(60 * 60);

/// How long the cleanup may take. Sessions left then end with their lease.
pub const CLEANUP_MAX: Duration = Duration::from_secs(60);

/// The settings of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The kind of load.
    pub workload: Workload,
    /// The number of users. The workload `starts` uses new ones all the time.
    pub users: u64,
    /// The sessions of each user.
    pub sessions_per_user: u64,
    /// Keep-alive connections.
    pub connections: usize,
    /// Threads of the generator; at most as many as there are connections.
    pub threads: usize,
    /// Requests a second, in an open loop; a closed loop without. The workload `live` has its own
    /// rate.
    pub requests_per_s: Option<f64>,
    /// Heartbeats per call of the workload `batch`.
    pub batch: u64,
    /// How often a player of the workload `live` calls, in seconds.
    pub heartbeat_interval_s: f64,
    /// The share of the sessions that the workload `live` replaces each minute.
    pub churn_per_minute: f64,
    /// Seconds in which sessions are started before anything is measured; 0 for as fast as
    /// possible.
    pub ramp_s: f64,
    /// Seconds of load before anything counts.
    pub warm_up_s: f64,
    /// Seconds that count.
    pub duration_s: f64,
    /// Seconds to wait for an answer.
    pub timeout_s: f64,
    /// The beginning of the ids of users.
    pub prefix: String,
}

/// The server to call, and how.
#[derive(Debug, Clone)]
pub struct Called {
    /// The server.
    pub target: Target,
    /// The API key.
    pub key: Option<String>,
    /// Local processes to measure.
    pub servers: Vec<ProcessMeter>,
}

/// The seed of the ids of a run.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// A random number.
    pub seed: u64,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
}

/// The stages of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Sessions are being started.
    Ramp,
    /// The load runs.
    Load,
    /// Sessions are being stopped.
    Cleanup,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The server.
    pub target: String,
    /// Its settings.
    pub plan: Plan,
    /// Whether it was ended early.
    pub interrupted: bool,
    /// Sessions that were started beforehand, if the workload needs them.
    pub ramp: Option<Ramp>,
    /// The sessions at the end of the run.
    pub cleanup: Cleanup,
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
}

/// The result of the ramp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// Sessions that were admitted.
    pub started: u64,
    /// Starts that failed, or were refused.
    pub errors: u64,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// The sessions at the end of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// Stopped.
    pub stopped: u64,
    /// Not stopped: they end with their lease.
    pub left: u64,
}

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The prefix cannot be used.
    #[error(transparent)]
    Prefix(#[from] BadPrefix),
    /// The API key cannot be sent.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// No session could be started.
    #[error("no session could be started: {outcomes}")]
    NoSessions {
        /// The outcomes of the starts.
        outcomes: String,
    },
    /// The load could not be driven.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

/// Runs a plan. `watch` is called every second; `stop` ends the load early, and the figures so far
/// are returned.
///
/// # Errors
///
/// Fails if the server cannot be reached at the beginning, or if a system call fails.
pub fn run(
    plan: &Plan,
    called: &Called,
    origin: Origin,
    stop: &Stop,
    watch: &mut dyn FnMut(Stage, &Second),
) -> Result<Summary, RunError> {
    let population = Population::new(&plan.prefix, origin.seed, origin.now_ms)?;
    let api = Api::new(&called.target, population, called.key.as_deref())?;
    let mut drive = Drive::new(called.target.clone(), plan.connections.max(1));
    drive.timeout = seconds(plan.timeout_s);
    let mut running = Running {
        plan,
        api: Arc::new(api),
        drive,
        shares: Share::split(plan.threads.clamp(1, plan.connections.max(1))),
        stop,
        watch,
        ramp: None,
        left: Vec::new(),
    };
    let measured = running.measure(&called.servers)?;
    // A stop ends the load, not the cleanup.
    let interrupted = stop.is_asked_for();
    Ok(Summary {
        target: called.target.url().to_owned(),
        plan: plan.clone(),
        interrupted,
        ramp: running.ramp,
        cleanup: running.clean_up()?,
        measured,
    })
}

struct Running<'a> {
    plan: &'a Plan,
    api: Arc<Api>,
    drive: Drive,
    shares: Vec<Share>,
    stop: &'a Stop,
    watch: &'a mut dyn FnMut(Stage, &Second),
    ramp: Option<Ramp>,
    /// Sessions that each thread may have left live.
    left: Vec<Left>,
}

impl Running<'_> {
    fn measure(&mut self, servers: &[ProcessMeter]) -> Result<Measured, RunError> {
        let plan = self.plan;
        let total = plan.users.saturating_mul(plan.sessions_per_user);
        if matches!(plan.workload, Workload::Heartbeats | Workload::Batch) {
            self.ramp(total)?;
        }
        let (mut rate, mut warm_up) = (plan.requests_per_s, seconds(plan.warm_up_s));
        let loads = match plan.workload {
            Workload::Starts => self.each(&|api, slots| Box::new(Starts::ever(api, slots))),
            Workload::StartStop => self.each(&|api, slots| {
                let share = slots.share;
                Box::new(StartStop::new(api, share, plan.users))
            }),
            Workload::Heartbeats => {
                self.each(&|api, slots| Box::new(Heartbeats::new(api, slots, total)))
            }
            Workload::Batch => {
                rate = rate.map(|rate| rate / float(plan.batch.max(1)));
                self.each(&|api, slots| Box::new(Batches::new(api, slots, total, plan.batch)))
            }
            Workload::Live => {
                let audience = Audience {
                    sessions: total,
                    ramp: seconds(plan.ramp_s),
                    interval: seconds(plan.heartbeat_interval_s),
                    churn_per_minute: plan.churn_per_minute,
                };
                (rate, warm_up) = (None, seconds(plan.ramp_s) + warm_up);
                self.each(&|api, slots| Box::new(Live::new(api, slots, &audience)))
            }
        };
        self.drive.servers = servers.to_vec();
        let span = Span::of(warm_up, seconds(plan.duration_s));
        let driven = self.drive(Stage::Load, loads, rate, span)?;
        let measured = Measured::of(&driven, servers);
        self.left
            .extend(driven.loads.into_iter().map(|load| load.left()));
        Ok(measured)
    }

    /// Starts all sessions of the load.
    fn ramp(&mut self, total: u64) -> Result<(), RunError> {
        let loads = self.each(&|api, slots| Box::new(Starts::fill(api, slots, total)));
        let rate = (self.plan.ramp_s > 0.0).then(|| float(total) / self.plan.ramp_s);
        let span = Span::of(Duration::ZERO, DURATION_MAX);
        let driven = self.drive(Stage::Ramp, loads, rate, span)?;
        let tally = driven.record.tally();
        let started = tally.total() - tally.errors();
        if started == 0 && !self.stop.is_asked_for() {
            let outcomes = tally.to_string();
            return Err(RunError::NoSessions { outcomes });
        }
        self.ramp = Some(Ramp {
            started,
            errors: tally.errors(),
            elapsed_s: round(driven.elapsed.as_secs_f64()),
        });
        self.left
            .extend(driven.loads.into_iter().map(|load| load.left()));
        Ok(())
    }

    /// Stops sessions that may be live, as far as time allows.
    fn clean_up(&mut self) -> Result<Cleanup, DriveError> {
        if self.left.is_empty() {
            return Ok(Cleanup::default());
        }
        let left: Left = Box::new(std::mem::take(&mut self.left).into_iter().flatten());
        let stops = Stops::of(Arc::clone(&self.api), left);
        self.drive.servers = Vec::new();
        let span = Span::of(Duration::ZERO, CLEANUP_MAX);
        let (never, watch) = (Stop::default(), &mut *self.watch);
        let driven = self
            .drive
            .run(vec![Box::new(stops)], span, &never, &mut |second| {
                watch(Stage::Cleanup, second);
            })?;
        let tally = driven.record.tally();
        // 404: it was never admitted, or is forgotten.
        let not_there = tally.of(Outcome::Status(404));
        let stopped = tally.total() - tally.errors();
        let unreached: u64 = driven
            .loads
            .into_iter()
            .map(|it| it.left().count() as u64)
            .sum();
        Ok(Cleanup {
            stopped,
            left: tally.errors() - not_there + unreached,
        })
    }

    /// A load for each thread.
    fn each(&self, make: &dyn Fn(Arc<Api>, Slots) -> Box<dyn Load>) -> Vec<Box<dyn Load>> {
        let sessions_per_user = self.plan.sessions_per_user;
        let load = |share: &Share| {
            let share = *share;
            let slots = Slots {
                share,
                sessions_per_user,
            };
            make(Arc::clone(&self.api), slots)
        };
        self.shares.iter().map(load).collect()
    }

    /// Drives loads in an open loop where there is a rate, else as they are.
    fn drive(
        &mut self,
        stage: Stage,
        mut loads: Vec<Box<dyn Load>>,
        per_second: Option<f64>,
        span: Span,
    ) -> Result<Driven, DriveError> {
        if let Some(per_second) = per_second {
            let paced = loads.into_iter().zip(&self.shares);
            let paced = paced.map(|(load, share)| Paced::new(load, per_second, *share));
            loads = paced.map(|load| Box::new(load) as Box<dyn Load>).collect();
        }
        let watch = &mut *self.watch;
        self.drive.run(loads, span, self.stop, &mut |second| {
            watch(stage, second);
        })
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
