//! The watchdog: tells the service manager that the process serves, for as long as it does. Without
//! a message within `WATCHDOG_USEC` the manager ends the process and starts it again.
//!
//! The message is sent by the task that accepts connections, so a loop that stands still sends
//! none. Nor is one sent while a part stands still for half of the interval:
//!
//! - a worker thread of the runtime that is at one task all that time,
//! - the commit writer of the embedded store in a write or a sync that does not return.
//!
//! A store on a server that does not answer is no reason: a restart would not help.

use std::convert::Infallible;
use std::time::Duration;

use streamgate_store_embedded::CommitWatch;
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::time::{MissedTickBehavior, interval};

use super::Manager;
use super::message::Message;

/// Looks within an interval. Two that find a part where it was are half of the interval.
const LOOKS: u32 = 4;

/// Looks without progress from which on nothing is sent.
const LOOKS_STUCK: u32 = 2;

/// The shortest interval: two looks at the commit writer must be longer apart than changes are
/// gathered.
const INTERVAL_MIN: Duration = Duration::from_millis(400);

/// Feeds the watchdog of a service manager.
#[derive(Debug)]
pub(in crate::serve) struct Watchdog {
    manager: Manager,
    look_every: Duration,
    workers: Workers,
    commits: Option<CommitWatch>,
    /// Looks in a row that found a part where it was.
    stuck: u32,
}

impl Watchdog {
    /// The watchdog that the environment asks for; `None` if it asks for none. Called on the
    /// runtime that is watched.
    pub(in crate::serve) fn start(manager: &Manager, commits: Option<CommitWatch>) -> Option<Self> {
        let variable = |name| std::env::var(name).ok();
        let asked = asked(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"));
        let watched = asked.filter(|_| manager.is_there())?;
        match watched {
            Ok(interval) => Some(Self::every(interval, manager.clone(), commits)),
            Err(problem) => {
                tracing::warn!("{problem}; the watchdog is not fed");
                None
            }
        }
    }

    fn every(interval: Duration, manager: Manager, commits: Option<CommitWatch>) -> Self {
        Self {
            manager,
            look_every: interval / LOOKS,
            workers: Workers::of(&Handle::current()),
            commits,
            stuck: 0,
        }
    }

    /// Sends a message at each look, while all parts make progress.
    pub(in crate::serve) async fn feed(mut self) -> Infallible {
        let mut looks = interval(self.look_every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if self.makes_progress() {
                self.manager.send(&Message::new().field("WATCHDOG=1"));
            }
        }
    }

    /// Looks at all parts.
    fn makes_progress(&mut self) -> bool {
        let worker = self.workers.first_stuck();
        let writer = self.commits.as_mut().is_some_and(CommitWatch::is_stuck);
        if worker.is_none() && !writer {
            self.stuck = 0;
            return true;
        }
        self.stuck += 1;
        if self.stuck == LOOKS_STUCK {
            let part = worker.map_or_else(
                || "the commit writer: a write or a sync does not return".to_owned(),
                |number| format!("worker thread {number}: a task does not return"),
            );
            tracing::error!(
                part,
                "a part of the process stands still: the service manager is not told any more that \
                 it lives, and will restart it unless it goes on"
            );
        }
        self.stuck < LOOKS_STUCK
    }
}

/// The interval in the variables of `sd_watchdog_enabled(3)`; `None` if this process is not
/// watched.
fn asked(
    microseconds: Option<String>,
    process: Option<String>,
) -> Option<Result<Duration, String>> {
    if process.is_some_and(|id| id != std::process::id().to_string()) {
        return None;
    }
    let microseconds = microseconds?;
    let Ok(interval) = microseconds.parse().map(Duration::from_micros) else {
        return Some(Err(format!(
            "WATCHDOG_USEC is {microseconds:?}, which is no number of microseconds"
        )));
    };
    if interval < INTERVAL_MIN {
        let least = INTERVAL_MIN.as_micros();
        return Some(Err(format!(
            "WATCHDOG_USEC is {microseconds}, and must be {least} at least"
        )));
    }
    Some(Ok(interval))
}

/// The worker threads of a runtime.
#[derive(Debug)]
struct Workers {
    metrics: RuntimeMetrics,
    seen: Vec<Seen>,
}

/// How far a worker was at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// How often it began and ended a wait for work: even while it is at a task.
    parks: u64,
    /// How long it has been at tasks, as of the last time that it came back from one.
    busy: Duration,
}

impl Workers {
    fn of(runtime: &Handle) -> Self {
        Self {
            metrics: runtime.metrics(),
            seen: Vec::new(),
        }
    }

    /// The first worker that is at the same task as at the last look, if any.
    fn first_stuck(&mut self) -> Option<usize> {
        let now: Vec<Seen> = (0..self.metrics.num_workers())
            .map(|worker| Seen {
                parks: self.metrics.worker_park_unpark_count(worker),
                busy: self.metrics.worker_total_busy_duration(worker),
            })
            .collect();
        let is_stuck = |(now, before): (&Seen, &Seen)| now == before && now.parks % 2 == 0;
        let stuck = now.iter().zip(&self.seen).position(is_stuck);
        self.seen = now;
        stuck
    }
}

#[cfg(test)]
mod tests;
