//! A run against a Streamgate server: ramp, what is measured, and cleaning up behind it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::{Api, BadKey};
use crate::drive::{Drive, DriveError, Driven, Stop};
use crate::latency::round;
use crate::load::{Left, Load, Outcome};
use crate::pace::{Paced, Share};
use crate::population::{BadPrefix, Population};
use crate::process::ProcessMeter;
use crate::record::{Second, Span};
use crate::summary::Measured;
use crate::target::Target;
use crate::workload::{
    Audience, Batches, Heartbeats, Live, Slots, StartStop, Starts, Stops, Workload,
};

/// Longest run, and longest ramp: load should not outlast the attention of its operator.
pub const DURATION_MAX: Duration = Duration::from_secs(60 * 60);

/// How long cleaning up may take. What is left then ends with its lease.
pub const CLEANUP_MAX: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is done.
    pub workload: Workload,
    /// How many users there are. The workload `starts` has ever new ones.
    pub users: u64,
    /// How many sessions each has.
    pub sessions_per_user: u64,
    /// Keep-alive connections.
    pub connections: usize,
    /// Threads of the generator; at most as many as there are connections.
    pub threads: usize,
    /// Requests a second, in an open loop; a closed loop without. The workload `live` has its own
    /// rate.
    pub requests_per_s: Option<f64>,
    /// Heartbeats in a call of the workload `batch`.
    pub batch: u64,
    /// How often a player of the workload `live` calls, in seconds.
    pub heartbeat_interval_s: f64,
    /// Which part of the sessions changes in a minute in the workload `live`.
    pub churn_per_minute: f64,
    /// How long sessions take to be started before anything is measured, in seconds; 0 is as fast
    /// as it goes.
    pub ramp_s: f64,
    /// How long the load runs before it counts, in seconds.
    pub warm_up_s: f64,
    /// How long it counts, in seconds.
    pub duration_s: f64,
    /// How long an answer may take, in seconds.
    pub timeout_s: f64,
    /// How users' ids begin.
    pub prefix: String,
}

/// The server to call, and how.
#[derive(Debug, Clone)]
pub struct Called {
    /// The server.
    pub target: Target,
    /// The API key.
    pub key: Option<String>,
    /// Processes of this machine whose cost is measured.
    pub servers: Vec<ProcessMeter>,
}

/// What makes the ids of a run.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// Random.
    pub seed: u64,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Sessions are being started.
    Ramp,
    /// The load runs.
    Load,
    /// Sessions are being stopped.
    Cleanup,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The server.
    pub target: String,
    /// What was to be done.
    pub plan: Plan,
    /// Whether it was ended early.
    pub interrupted: bool,
    /// Sessions that were started beforehand, where the workload has such.
    pub ramp: Option<Ramp>,
    /// What became of the sessions of the run.
    pub cleanup: Cleanup,
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
}

/// What came of the ramp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// Sessions that were admitted.
    pub started: u64,
    /// Starts that failed, or were refused.
    pub errors: u64,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// What became of sessions at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// Stopped, or not live any more.
    pub stopped: u64,
    /// Not stopped. They end with their lease.
    pub left: u64,
}

/// Why there is nothing to say of a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// As it says.
    #[error(transparent)]
    Prefix(#[from] BadPrefix),
    /// As it says.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// No session could be started for the load to be about.
    #[error("no session could be started: {outcomes}")]
    NoSessions {
        /// How the starts ended, and how many.
        outcomes: String,
    },
    /// The load could not be driven.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

/// Runs a plan. `watch` hears of every second; `stop` ends the load early, and what was measured
/// until then is returned.
///
/// # Errors
///
/// Fails if the server cannot be reached at the beginning, or if the machine fails.
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
    // The first word to stop is for the load; what it leaves behind is cleared away all the same.
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
    /// What each thread may have left live.
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
                #[expect(clippy::cast_precision_loss, reason = "there are at most a thousand")]
                let calls = |rate| rate / plan.batch.max(1) as f64;
                rate = rate.map(calls);
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

    /// Starts all sessions that the load is about.
    fn ramp(&mut self, total: u64) -> Result<(), RunError> {
        let loads = self.each(&|api, slots| Box::new(Starts::fill(api, slots, total)));
        #[expect(
            clippy::cast_precision_loss,
            reason = "exact for the counts of any run"
        )]
        let rate = (self.plan.ramp_s > 0.0).then(|| total as f64 / self.plan.ramp_s);
        let span = Span::of(Duration::ZERO, DURATION_MAX);
        let driven = self.drive(Stage::Ramp, loads, rate, span)?;
        let tally = driven.record.tally();
        let started = tally.total() - tally.errors();
        if started == 0 && !self.stop.is_asked_for() {
            let outcomes = tally.iter();
            let outcomes: Vec<String> = outcomes
                .map(|(outcome, count)| format!("{}: {count}", outcome.name()))
                .collect();
            let outcomes = outcomes.join(", ");
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

    /// Stops what may be live, as far as time allows.
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
