//! The machine's clocks, made safe for leases.

use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_core::bounds::CLOCK_SKEW_MAX_S;
use streamgate_core::{Moment, Policy, Seconds, Stall, Timestamp};

use super::machine::{Machine, Source};
use super::stalls::{StallRule, Stalls};
use super::{Clock, Disturbances};

/// How often the ticker reads the clock. A later reading means that the process did not run.
const TICK: Duration = Duration::from_millis(250);

/// The smallest step of the wall clock that counts, in milliseconds. Clock discipline (NTP) changes
/// the rate of both clocks alike, so a smaller difference between them is the inaccuracy of reading
/// them.
const STEP_MIN_MS: u64 = 100;

/// The smallest step that is logged as a warning, in milliseconds.
const STEP_WARNED_MS: u64 = 1_000;

/// What a clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The wall-clock time when the clock was made, plus the time that has passed since, suspend
    /// included. A step of the wall clock moves no lease.
    Lease,
    /// The same, beside a store whose server counts leases and tells the times of answers.
    BesideServer,
    /// The wall clock. A step of it is followed immediately, except a step back of at most
    /// [`CLOCK_SKEW_MAX_S`]: then the time stands still until the wall clock has caught up.
    Wall,
}

/// The machine's clock, in one of two forms.
///
/// It detects a stall in the late reading itself, so the first decision after a stall already sees
/// it. For that it must be read regularly, which [`start`](Self::start) ensures.
#[derive(Debug)]
pub struct SystemClock<S = Machine> {
    source: S,
    kind: Kind,
    state: Mutex<State>,
    /// How far the wall clock is ahead of what this clock shows.
    wall_offset_ms: AtomicI64,
    /// What the ticker has found.
    stalls: AtomicU64,
    steps: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// `passed_ms` at the last reading.
    read_ms: u64,
    /// What a lease clock adds to `passed_ms`.
    base_ms: u64,
    stalls: Stalls,
}

/// What one reading of both clocks found.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    stall: Option<Stall>,
    /// By how much the wall clock was set, in milliseconds; negative if backwards.
    step_ms: Option<i64>,
}

/// What the ticker has reported already.
#[derive(Debug)]
struct Reported {
    stall: Option<Stall>,
    wall_ahead_ms: Option<i64>,
}

impl SystemClock {
    /// A clock for leases that only this node counts. A step of the wall clock does not move it.
    #[must_use]
    pub fn for_leases(policy: &Policy) -> Self {
        Self::over(Machine, Kind::Lease, StallRule::of(policy))
    }

    /// A clock for a node whose store has the clock of a server for leases and for the times of
    /// answers. It counts as [`for_leases`](Self::for_leases) does, and says in the log that
    /// neither depends on it.
    #[must_use]
    pub fn beside_a_server(policy: &Policy) -> Self {
        Self::over(Machine, Kind::BesideServer, StallRule::of(policy))
    }

    /// The wall clock, for a store in which every node counts leases by its own wall clock.
    #[must_use]
    pub fn on_the_wall(policy: &Policy) -> Self {
        Self::over(Machine, Kind::Wall, StallRule::of(policy))
    }

    /// The wall clock of a process that its platform freezes between calls (AWS Lambda). A freeze
    /// is no stall: other instances serve heartbeats meanwhile, and a grace after each freeze would
    /// keep the slot of every player that has vanished. It needs no thread.
    #[must_use]
    pub fn frozen_between_calls() -> Self {
        Self::over(Machine, Kind::Wall, StallRule::NEVER)
    }

    /// A clock for leases under the default policy.
    #[must_use]
    pub fn new() -> Self {
        Self::for_leases(&Policy::default())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Source> SystemClock<S> {
    fn over(source: S, kind: Kind, rule: StallRule) -> Self {
        let (read_ms, wall_ms) = (source.passed_ms(), source.wall_ms());
        // Before 1970 a lease clock begins in 1970: what it counts is the time that passes.
        let wall_ms = u64::try_from(wall_ms).unwrap_or(0);
        let clock = Self {
            source,
            kind,
            state: Mutex::new(State {
                read_ms,
                base_ms: wall_ms.saturating_sub(read_ms),
                stalls: Stalls::new(rule),
            }),
            wall_offset_ms: AtomicI64::new(0),
            stalls: AtomicU64::new(0),
            steps: AtomicU64::new(0),
        };
        clock.look(&mut Reported::nothing());
        clock
    }

    /// Replaces the policy.
    pub fn set_policy(&self, policy: &Policy) {
        self.state.lock().stalls.set_rule(StallRule::of(policy));
    }

    /// Starts a thread that reads the clock regularly and logs stalls and steps of the wall clock.
    /// It ends once the clock is dropped.
    ///
    /// # Errors
    /// The system has no thread to spare.
    pub fn start(self) -> io::Result<Arc<Self>> {
        let clock = Arc::new(self);
        let ticking = Arc::downgrade(&clock);
        std::thread::Builder::new()
            .name("sg-clock".to_owned())
            .spawn(move || tick(&ticking))?;
        Ok(clock)
    }

    /// Reads both clocks, and returns what has not been reported yet.
    fn look(&self, reported: &mut Reported) -> News {
        let moment = self.now();
        let stall = moment.stall.filter(|_| moment.stall != reported.stall);
        reported.stall = moment.stall;
        self.stalls
            .fetch_add(u64::from(stall.is_some()), Ordering::Relaxed);
        let Some(ahead_ms) = self.source.wall_ahead_ms() else {
            return News {
                stall,
                step_ms: None,
            };
        };
        let last_ms = reported.wall_ahead_ms.unwrap_or(ahead_ms);
        let step_ms = ahead_ms - last_ms;
        let is_step = step_ms.unsigned_abs() >= STEP_MIN_MS;
        self.steps.fetch_add(u64::from(is_step), Ordering::Relaxed);
        // Otherwise the reference stays: jitter is not followed, and small steps are followed once
        // they add up.
        if is_step || reported.wall_ahead_ms.is_none() {
            reported.wall_ahead_ms = Some(ahead_ms);
            let base_ms = i64::try_from(self.state.lock().base_ms).unwrap_or(i64::MAX);
            if self.kind != Kind::Wall {
                self.wall_offset_ms
                    .store(ahead_ms.saturating_sub(base_ms), Ordering::Relaxed);
            }
        }
        News {
            stall,
            step_ms: is_step.then_some(step_ms),
        }
    }
}

impl<S: Source> Clock for SystemClock<S> {
    fn now(&self) -> Moment {
        // Both are read under the lock, so that later calls never see an earlier time, and every
        // call that sees a time after a stall sees the stall.
        let mut state = self.state.lock();
        let passed_ms = self.source.passed_ms();
        let since_ms = passed_ms.saturating_sub(state.read_ms);
        let time = match self.kind {
            Kind::Lease | Kind::BesideServer => {
                Timestamp::from_millis(state.base_ms.saturating_add(passed_ms))
            }
            Kind::Wall => wall_time(self.source.wall_ms(), state.stalls.seen()),
        };
        state.read_ms = passed_ms;
        state.stalls.see(time, since_ms)
    }

    fn passed_ms(&self) -> u64 {
        self.source.passed_ms()
    }

    fn wall_offset_ms(&self) -> i64 {
        self.wall_offset_ms.load(Ordering::Relaxed)
    }

    fn disturbances(&self) -> Disturbances {
        Disturbances {
            stalls: self.stalls.load(Ordering::Relaxed),
            steps: self.steps.load(Ordering::Relaxed),
        }
    }
}

/// The time on the wall, or the one that was seen last if the wall clock is a little behind it.
fn wall_time(wall_ms: i64, seen: Option<Timestamp>) -> Timestamp {
    let wall = Timestamp::from_millis(u64::try_from(wall_ms).unwrap_or(0));
    let skew_ms = Seconds(CLOCK_SKEW_MAX_S).as_millis();
    let ahead = seen.filter(|seen| (1..=skew_ms).contains(&seen.millis_since(wall)));
    ahead.unwrap_or(wall)
}

impl Reported {
    const fn nothing() -> Self {
        Self {
            stall: None,
            wall_ahead_ms: None,
        }
    }
}

/// Reads the clock until its last owner has dropped it.
#[expect(
    clippy::disallowed_methods,
    reason = "a clock has nothing to wait for but time"
)]
fn tick<S: Source>(clock: &Weak<SystemClock<S>>) {
    let mut reported = Reported::nothing();
    while let Some(clock) = clock.upgrade() {
        clock.look(&mut reported).log(clock.kind);
        drop(clock);
        std::thread::sleep(TICK);
    }
}

impl News {
    fn log(self, kind: Kind) {
        if let Some(stall) = self.stall {
            let leases = match kind {
                Kind::Lease | Kind::Wall => "Sessions that held a slot hold it for one lease more",
                Kind::BesideServer => {
                    "Leases follow the clock of the store's server: another line says so where \
                     sessions hold their slots for one lease more"
                }
            };
            tracing::warn!(
                stalled_ms = stall.until.millis_since(stall.from),
                "the process stood still: it, or the machine, was paused, suspended or out of memory. \
                 {leases}"
            );
        }
        let Some(step_ms) = self.step_ms else {
            return;
        };
        let consequence = match kind {
            Kind::Lease => "times in answers follow it, leases do not move",
            Kind::Wall => "times in answers follow it, and so do leases, which nodes count by it",
            Kind::BesideServer => {
                "times in answers and leases do not move, which are by the clock of the store's server"
            }
        };
        if step_ms.unsigned_abs() >= STEP_WARNED_MS {
            tracing::warn!(step_ms, "the wall clock was set; {consequence}");
        } else {
            tracing::info!(step_ms, "the wall clock was set; {consequence}");
        }
    }
}

#[cfg(test)]
mod tests;
