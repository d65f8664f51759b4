//! `streamgate bench`: puts load on a running server and measures how it copes.
//!
//! What is *not* here: how load is generated and measured (`streamgate_loadgen`), what is printed
//! of it (`crate::loadtest`).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use streamgate_clock::{Clock as _, SystemClock};
use streamgate_loadgen::figures::float;
use streamgate_loadgen::workload::Workload;
use streamgate_loadgen::{
    Called, DURATION_MAX, Origin, Plan, ProcessMeter, Stop, Summary, Target, run as run_plan,
};

use crate::client::{Client, TextParser, TlsArgs};
use crate::exit::{Code, Failure};
use crate::loadtest::{self, Probed, RunProgress};
use crate::output;
use crate::serve::raise_soft_limit;

/// The long description.
pub(crate) const ABOUT: &str = "\
Put load on a running server and measure how it copes.

It starts, renews and stops sessions of its own users, whose ids begin with --prefix, and finally \
stops those that are still live. Without --rate it is a closed loop: every connection sends its \
next request once it has its answer, which finds the throughput. With --rate it is an open loop: \
requests are due at fixed times, and latency counts from then, which finds what players \
experience. docs/benchmarking.md says how to read the figures.

Ctrl-C ends it early: the figures so far are printed, and its sessions are stopped.";

/// How load is put on a server.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  streamgate bench --target http://127.0.0.1:8080
  streamgate bench --target http://127.0.0.1:8080 --workload starts --rate 5000
  streamgate bench --target https://streams.example.com --workload live --users 20000 \\
      --ramp 60 --duration 300 --html report.html")]
pub(crate) struct BenchArgs {
    /// The server, as in http://127.0.0.1:8080
    ///
    /// There is no default, so that no server is loaded by accident.
    #[arg(long, alias = "url", value_name = "URL")]
    target: String,

    /// The API key, if the server requires one
    #[arg(
        long,
        value_name = "KEY",
        env = "STREAMGATE_KEY",
        hide_env_values = true,
        value_parser = TextParser
    )]
    key: Option<String>,

    #[command(flatten)]
    tls: TlsArgs,

    /// The kind of load
    #[arg(
        long,
        value_enum,
        value_name = "WORKLOAD",
        default_value = "start-stop"
    )]
    workload: Workload,

    /// Number of users; `starts` uses new ones all the time
    #[arg(long, value_name = "N", default_value = "1000", value_parser = up_to(1_000_000_000))]
    users: u64,

    /// Sessions of each user [default: 2, or as many as the server admits]
    #[arg(long, value_name = "N", value_parser = up_to(1_000))]
    sessions_per_user: Option<u64>,

    /// Keep-alive connections
    #[arg(long, value_name = "N", default_value = "64", value_parser = up_to(100_000))]
    connections: u64,

    /// Requests a second (open loop); for `batch` and `live`, heartbeats a second
    #[arg(long, value_name = "N", value_parser = positive)]
    rate: Option<f64>,

    /// `live`: seconds between two heartbeats of a player [default: the server's interval]
    #[arg(long, value_name = "SECONDS", value_parser = positive, conflicts_with = "rate")]
    heartbeat_interval: Option<f64>,

    /// `live`: percent of the sessions that stop each minute, each replaced by another start
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = not_negative)]
    churn: f64,

    /// `batch`: heartbeats per call
    #[arg(long, value_name = "N", default_value = "1000", value_parser = up_to(1_000))]
    batch: u64,

    /// Seconds in which the sessions of `heartbeats`, `batch` and `live` are started; at most an
    /// hour [default: as fast as possible; `live`: 5000 a second]
    #[arg(long, value_name = "SECONDS", value_parser = not_negative)]
    ramp: Option<f64>,

    /// Seconds of load before anything counts
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = not_negative)]
    warm_up: f64,

    /// Seconds that count; at most an hour
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = not_negative)]
    duration: f64,

    /// Seconds to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = positive)]
    timeout: f64,

    /// Threads of the generator [default: half of the processors]
    #[arg(long, value_name = "N", value_parser = up_to(1_024))]
    threads: Option<u64>,

    /// The beginning of the ids of its users
    #[arg(long, value_name = "TEXT", default_value = "bench-")]
    prefix: String,

    /// Also measure processor time and memory of this local process, such as the server
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,

    /// Write a report with plots to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Sessions of a user, unless --sessions-per-user says otherwise.
const SESSIONS_PER_USER: u64 = 2;

/// Live sessions that start in a second, unless --ramp says otherwise.
const LIVE_STARTS_PER_S: f64 = 5_000.0;

/// Runs the command.
pub(crate) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let tls = args.tls.load()?;
    let target = Target::with_tls(&args.target, tls.for_load()?).map_err(|error| {
        Failure::new(Code::Usage, error.to_string())
            .hint("give the server's address as in --target http://127.0.0.1:8080")
    })?;
    let servers = args.server_pid.iter().map(|pid| meter(*pid));
    let servers = servers.collect::<Result<Vec<_>, Failure>>()?;
    let origin = Origin {
        seed: getrandom::u64()
            .map_err(|error| Failure::new(Code::Problem, format!("no random number: {error}")))?,
        now_ms: SystemClock::new().now().time.as_millis(),
    };
    let key = args.key.clone().filter(|key| !key.is_empty());
    let client = Client::at(target.url(), key.clone(), &tls);
    let probed = loadtest::probe(&client, &args.prefix, origin)?;
    let plan = args.plan(&probed)?;
    if let Some(file) = &args.html {
        // Before the load, and not after an hour of it.
        File::create(file).map_err(|error| unwritable(file, &error))?;
    }
    // Each connection is one; those that cannot be made say so.
    raise_soft_limit();
    let stop = Stop::default();
    loadtest::end_on_signals(&stop)?;
    let called = Called {
        target,
        key,
        servers,
    };
    let progress = RunProgress::of(&plan);
    let ran = run_plan(&plan, &called, origin, &stop, &mut |stage, second| {
        progress.second(stage, second);
    });
    progress.end();
    let summary = ran.map_err(|error| loadtest::failure(&error))?;
    if let Some(file) = &args.html {
        fs::write(file, loadtest::page(&summary)).map_err(|error| unwritable(file, &error))?;
    }
    if args.json {
        output::json(&serde_json::json!(summary));
    } else {
        loadtest::print(&summary);
    }
    judge(&summary)
}

impl BenchArgs {
    /// What is to be done, at a server that is like this.
    fn plan(&self, server: &Probed) -> Result<Plan, Failure> {
        let is_live = self.workload == Workload::Live;
        if self.heartbeat_interval.is_some() && !is_live {
            return usage("--heartbeat-interval is for the workload live; the others have --rate");
        }
        let sessions_per_user = self.sessions_per_user(server)?;
        let sessions = float(self.users.saturating_mul(sessions_per_user));
        let ramp_s = self.ramp.unwrap_or(if is_live {
            (sessions / LIVE_STARTS_PER_S).max(1.0)
        } else {
            0.0
        });
        let longest = DURATION_MAX.as_secs_f64();
        if ramp_s > longest || self.warm_up > longest || self.duration > longest {
            return usage("a run, its ramp and its warm-up take at most an hour each");
        }
        let interval_s = match (self.heartbeat_interval, self.rate) {
            (Some(interval_s), _) => interval_s,
            (None, Some(rate)) => sessions / rate,
            (None, None) => server.heartbeat_interval_s,
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.map_or((processors / 2).max(1), size);
        let connections = size(self.connections);
        Ok(Plan {
            workload: self.workload,
            users: self.users,
            sessions_per_user,
            connections,
            threads: threads.min(connections),
            requests_per_s: self.rate.filter(|_| !is_live),
            batch: self.batch,
            heartbeat_interval_s: interval_s,
            churn_per_minute: self.churn / 100.0,
            ramp_s,
            warm_up_s: self.warm_up,
            duration_s: self.duration,
            timeout_s: self.timeout,
            prefix: self.prefix.clone(),
        })
    }

    /// How many sessions each user has, which must not be more than the server admits: a run of
    /// refusals says nothing.
    fn sessions_per_user(&self, server: &Probed) -> Result<u64, Failure> {
        let limit = server.limit.unwrap_or(u64::MAX);
        let wanted = self.sessions_per_user;
        match wanted {
            None => Ok(SESSIONS_PER_USER.min(limit).max(1)),
            // There, each user has one at a time.
            Some(wanted) if wanted <= limit || self.workload == Workload::StartStop => Ok(wanted),
            Some(wanted) => {
                let message = format!("the server admits {limit} sessions of a user, not {wanted}");
                Err(Failure::new(Code::Usage, message).hint(format!(
                    "give --sessions-per-user {limit}, and more --users"
                )))
            }
        }
    }
}

/// A run of which nothing succeeded has found a problem; what else there is to find, figures say.
fn judge(summary: &Summary) -> Result<(), Failure> {
    let measured = &summary.measured;
    if measured.requests == 0 || measured.errors < measured.requests {
        return Ok(());
    }
    let message = format!("none of {} requests succeeded", measured.requests);
    Err(Failure::new(Code::Problem, message))
}

fn usage<T>(message: &str) -> Result<T, Failure> {
    Err(Failure::new(Code::Usage, message))
}

fn meter(pid: u32) -> Result<ProcessMeter, Failure> {
    ProcessMeter::of(pid).map_err(|error| {
        let message = format!("process {pid} cannot be measured: {error}");
        Failure::new(Code::Usage, message)
            .hint("--server-pid is for servers of this machine, and needs /proc")
    })
}

fn unwritable(file: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be written: {error}", file.display());
    Failure::new(Code::Problem, message)
}

/// A count, and no more than this of them.
fn up_to(most: u64) -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..=most)
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// A number that is not below zero.
fn not_negative(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err("must be 0 or more".to_owned())
    }
}

/// A number above zero.
fn positive(text: &str) -> Result<f64, String> {
    match not_negative(text) {
        Ok(0.0) => Err("must be more than 0".to_owned()),
        number => number,
    }
}
