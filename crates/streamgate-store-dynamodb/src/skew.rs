//! Clock skew: how far this node's clock is from the table's, by the `Date` of its answers.
//!
//! Nodes count leases by their own clocks. One whose skew is larger than the policy allows would
//! cut the leases of others, or grant leases that are over already; so it must not decide. A
//! decision that was stored cannot be taken back, so the time is checked where it is read and not
//! after the write.
//!
//! Between two answers the monotonic clock tells whether the node's clock was set: an answer gives
//! the table's time at a monotonic time, and so at every later one. If both clocks of the node
//! stand still together, as in a virtual machine that is paused, a decision has the time at which
//! the pause began. It is then late, not wrong: the write is conditional on the record of that
//! time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::UNIX_EPOCH;

use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use parking_lot::Mutex;
use streamgate_clock::Clock;
use streamgate_core::bounds::CLOCK_SKEW_MAX_S;
use streamgate_core::{Moment, Seconds};
use streamgate_store::{Refusal, StoreError};

/// A `Date` has whole seconds: the table's clock is up to this many milliseconds past it.
const DATE_MS: i64 = 1_000;

/// How far the clocks may be apart, in milliseconds.
const ALLOWED_MS: u64 = Seconds(CLOCK_SKEW_MAX_S).as_millis();

/// For how long a comparison vouches for the clock, in milliseconds. A clock that nothing
/// disciplines drifts in this time by a small part of what is allowed.
const VOUCHES_MS: i64 = 10 * 60 * 1_000;

/// How often both clocks are read until the readings count as one moment.
const READS_MAX: u32 = 4;

/// How far apart two readings may be that count as one moment, in milliseconds.
const MOMENT_MS: i64 = 2;

/// What an operator is told with each refusal.
const WHY: &str = "compared with the table's clock; set it, with NTP";

/// Receives the clock skew measured at every answer of the table, for metrics only.
pub trait ClockObserver: Send + Sync + fmt::Debug + 'static {
    /// The node's clock is ahead of the table's by at least `ahead_ms` milliseconds; behind if it
    /// is negative, and 0 if the answer allows that the clocks agree.
    fn skew(&self, ahead_ms: i64);
}

/// A time of the table's clock, and the monotonic times between which it was read there.
#[derive(Debug, Clone, Copy)]
struct Comparison {
    date_ms: i64,
    sent_ms: i64,
    answered_ms: i64,
}

impl Comparison {
    /// How far a clock is ahead, as [`ClockObserver::skew`] has it.
    fn ahead_ms(&self, clock: Reading) -> i64 {
        let least_ms = clock.offset_ms + self.sent_ms - self.date_ms - DATE_MS;
        let most_ms = clock.offset_ms + self.answered_ms - self.date_ms;
        // As near to right as the two allow.
        least_ms.max(most_ms.min(0))
    }

    /// Whether it finds every clock that is wrong by much more than is allowed.
    const fn is_precise(&self) -> bool {
        (self.answered_ms - self.sent_ms).unsigned_abs() <= ALLOWED_MS
    }

    /// Whether the answer to a later request came first, with a later date.
    const fn was_overtaken_by(&self, other: &Self) -> bool {
        self.sent_ms < other.answered_ms && self.date_ms < other.date_ms
    }
}

/// The time of a reading, unless the clock was wrong or was set since the comparison.
fn checked(reading: Reading, comparison: Option<Comparison>) -> Result<Moment, StoreError> {
    let ahead_ms = comparison.map_or(0, |comparison| comparison.ahead_ms(reading));
    if is_wrong(ahead_ms) {
        return Err(StoreError::Refused(Refusal {
            told: told(ahead_ms),
            // Without the milliseconds, which differ from call to call: a failure that repeats is
            // one line a second and cause. The line of the change has them, and the metric.
            why: WHY.to_owned(),
        }));
    }
    Ok(reading.moment)
}

/// The node's clock, read once.
#[derive(Debug, Clone, Copy)]
struct Reading {
    moment: Moment,
    /// How far it is ahead of the monotonic clock.
    offset_ms: i64,
}

/// Compares this node's clock with the table's at every answer.
#[derive(Debug)]
pub(crate) struct Skew {
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn ClockObserver>>,
    /// The last one.
    comparison: Mutex<Option<Comparison>>,
    /// What the log says.
    is_wrong: AtomicBool,
}

impl Skew {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        observer: Option<Arc<dyn ClockObserver>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock,
            observer,
            comparison: Mutex::new(None),
            is_wrong: AtomicBool::new(false),
        })
    }

    /// The same comparison with another clock.
    pub(crate) fn with_clock(&self, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::new(clock, self.observer.clone())
    }

    /// The same comparison, with an observer.
    pub(crate) fn with_observer(&self, observer: Arc<dyn ClockObserver>) -> Arc<Self> {
        Self::new(Arc::clone(&self.clock), Some(observer))
    }

    /// Watches the attempts of one request.
    pub(crate) fn watch(self: &Arc<Self>) -> Watch {
        Watch {
            skew: Arc::clone(self),
            sent_ms: Arc::default(),
        }
    }

    /// The time to decide by, after an answer of the table. It is not checked if no answer had a
    /// date.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the clock is wrong.
    pub(crate) fn now(&self) -> Result<Moment, StoreError> {
        let comparison = *self.comparison.lock();
        checked(self.read(), comparison)
    }

    /// The time to decide by without asking the table first; `None` if the clock is wrong, was set,
    /// or was not compared lately.
    pub(crate) fn vouched_now(&self) -> Option<Moment> {
        let comparison = (*self.comparison.lock())?;
        let since_ms = self.passed_ms() - comparison.answered_ms;
        let now = checked(self.read(), Some(comparison)).ok();
        now.filter(|_| since_ms <= VOUCHES_MS)
    }

    fn passed_ms(&self) -> i64 {
        i64::try_from(self.clock.passed_ms()).unwrap_or(i64::MAX)
    }

    /// Reads both clocks. If the thread is interrupted in between each time, the clock counts as
    /// ahead by that long.
    fn read(&self) -> Reading {
        let read = || {
            let passed_ms = self.passed_ms();
            let moment = self.clock.now();
            let time_ms = i64::try_from(moment.time.as_millis()).unwrap_or(i64::MAX);
            let reading = Reading {
                moment,
                offset_ms: time_ms.saturating_sub(passed_ms),
            };
            (reading, self.passed_ms() - passed_ms <= MOMENT_MS)
        };
        let (mut reading, mut is_moment) = read();
        for _ in 1..READS_MAX {
            if is_moment {
                break;
            }
            (reading, is_moment) = read();
        }
        reading
    }

    /// The table answered.
    fn note(&self, found: Comparison) {
        let ahead_ms = found.ahead_ms(self.read());
        if let Some(observer) = &self.observer {
            observer.skew(ahead_ms);
        }
        let is_wrong = is_wrong(ahead_ms);
        {
            let mut last = self.comparison.lock();
            let is_overtaken = last.is_some_and(|last| found.was_overtaken_by(&last));
            if is_overtaken || !(is_wrong || found.is_precise()) {
                return;
            }
            *last = Some(found);
        }
        let was_wrong = self.is_wrong.swap(is_wrong, Ordering::SeqCst);
        if is_wrong && !was_wrong {
            tracing::error!(
                ahead_ms,
                allowed_ms = ALLOWED_MS,
                "the clock of this node is wrong by that of the table: calls are answered 503 \
                 until it is right. Look at its time synchronisation"
            );
        } else if was_wrong && !is_wrong {
            tracing::info!(
                ahead_ms,
                "the clock of this node is right again: calls are served"
            );
        }
    }
}

const fn is_wrong(ahead_ms: i64) -> bool {
    ahead_ms.unsigned_abs() > ALLOWED_MS
}

/// The text for callers; the log has the milliseconds.
fn told(ahead_ms: i64) -> &'static str {
    match (ahead_ms > 0, ahead_ms.unsigned_abs() / 1_000) {
        (true, 0..60) => "the clock of this node is wrong: ahead by more than 5 seconds",
        (true, 60..3_600) => "the clock of this node is wrong: ahead by more than a minute",
        (true, 3_600..86_400) => "the clock of this node is wrong: ahead by more than an hour",
        (true, _) => "the clock of this node is wrong: ahead by more than a day",
        (false, 0..60) => "the clock of this node is wrong: behind by more than 5 seconds",
        (false, 60..3_600) => "the clock of this node is wrong: behind by more than a minute",
        (false, 3_600..86_400) => "the clock of this node is wrong: behind by more than an hour",
        (false, _) => "the clock of this node is wrong: behind by more than a day",
    }
}

/// Reads the date of each answer to one request.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    skew: Arc<Skew>,
    sent_ms: Arc<AtomicI64>,
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Skew"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.sent_ms.store(self.skew.passed_ms(), Ordering::SeqCst);
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Without a date, as from some emulators, clocks are not compared.
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let since = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
        if let Some(date_ms) = since.and_then(|since| i64::try_from(since.as_millis()).ok()) {
            self.skew.note(Comparison {
                date_ms,
                sent_ms: self.sent_ms.load(Ordering::SeqCst),
                answered_ms: self.skew.passed_ms(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
