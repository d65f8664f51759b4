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
        let (reading, comparison) = (self.read(), *self.comparison.lock());
        let ahead_ms = comparison.map_or(0, |comparison| comparison.ahead_ms(reading));
        if is_wrong(ahead_ms) {
            return Err(StoreError::Refused(Refusal {
                told: told(ahead_ms),
                // Without the milliseconds, which differ from call to call: a failure that repeats
                // is one line a second and cause. The line of the change has them, and the metric.
                why: WHY.to_owned(),
            }));
        }
        Ok(reading.moment)
    }

    /// The time to decide by without asking the table first; `None` if the clock is wrong, was set,
    /// or was not compared lately.
    pub(crate) fn vouched_now(&self) -> Option<Moment> {
        let comparison = (*self.comparison.lock())?;
        let since_ms = self.passed_ms() - comparison.answered_ms;
        self.now().ok().filter(|_| since_ms <= VOUCHES_MS)
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
mod tests {
    use std::time::Duration;

    use streamgate_clock::ManualClock;
    use streamgate_core::Timestamp;

    use super::*;

    const DATE: i64 = 1_800_000_000_000;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<i64>>);

    impl ClockObserver for Heard {
        fn skew(&self, ahead_ms: i64) {
            self.0.lock().push(ahead_ms);
        }
    }

    /// A comparison, and its clock, which is ahead of the table's by so much.
    struct Test {
        clock: Arc<ManualClock>,
        heard: Arc<Heard>,
        skew: Arc<Skew>,
        /// The table's time while no time passes.
        date_ms: i64,
    }

    impl Test {
        fn ahead_by(ahead_ms: i64) -> Self {
            let clock = Arc::new(ManualClock::default());
            let heard = Arc::new(Heard::default());
            let test = Self {
                skew: Skew::new(Arc::new(ManualClock::default()), None)
                    .with_observer(Arc::clone(&heard) as Arc<_>)
                    .with_clock(Arc::clone(&clock) as Arc<_>),
                clock,
                heard,
                date_ms: DATE,
            };
            test.set(ahead_ms);
            test
        }

        fn set(&self, ahead_ms: i64) {
            let time_ms = u64::try_from(self.date_ms + ahead_ms).unwrap();
            self.clock.set(Timestamp::from_millis(time_ms));
        }

        fn pass(&mut self, ms: u64) {
            self.clock.advance(Duration::from_millis(ms));
            self.date_ms += i64::try_from(ms).unwrap();
        }

        /// A request that leaves now, takes that long, and is answered at once.
        fn ask(&mut self, takes_ms: u64) {
            let (date_ms, sent_ms) = (self.date_ms, self.skew.passed_ms());
            self.pass(takes_ms);
            self.skew.note(Comparison {
                date_ms,
                sent_ms,
                answered_ms: self.skew.passed_ms(),
            });
        }

        fn is_vouched_for(&self) -> bool {
            let vouched = self.skew.vouched_now();
            assert!(vouched.is_none_or(|now| now == self.clock.now()));
            vouched.is_some()
        }

        fn refusal(&self) -> Option<String> {
            self.skew.now().err().map(|error| error.to_string())
        }
    }

    #[test]
    fn an_observer_hears_the_skew_of_every_answer() {
        let mut test = Test::ahead_by(0);
        for ahead_ms in [0, 3_000, -3_000, 600_000] {
            test.set(ahead_ms);
            test.ask(10);
        }
        assert_eq!(*test.heard.0.lock(), [0, 2_000, -2_990, 599_000]);
    }

    #[test]
    fn a_clock_is_wrong_only_where_no_moment_of_the_round_trip_makes_it_right() {
        for (ahead_ms, took_ms) in [(0, 5), (6_000, 5), (-5_005, 5), (-60_000, 60_000)] {
            let mut test = Test::ahead_by(ahead_ms);
            test.ask(took_ms);
            assert_eq!(test.refusal(), None, "{ahead_ms} {took_ms}");
        }
        for (ahead_ms, took_ms, words) in [
            (6_001, 5, "ahead by more than 5 seconds"),
            (-5_006, 5, "behind by more than 5 seconds"),
            (-600_000, 5, "behind by more than a minute"),
            (3_700_000, 5, "ahead by more than an hour"),
            (-900_000_000, 5, "behind by more than a day"),
            (-600_000, 60_000, "behind by more than a minute"),
        ] {
            let mut test = Test::ahead_by(ahead_ms);
            test.ask(took_ms);
            let told = test.refusal().unwrap();
            assert!(told.contains(words), "{ahead_ms}: {told}");
            assert!(!test.is_vouched_for());
        }
    }

    /// Equal lines are summed up in the log.
    #[test]
    fn a_refusal_is_the_same_text_while_the_skew_varies() {
        let mut test = Test::ahead_by(0);
        test.ask(10);
        for (least_ms, most_ms) in [(7_001, 59_999), (-59_999, -7_001), (600_001, 609_999)] {
            test.set(least_ms);
            let refusal = test.refusal();
            assert!(refusal.is_some());
            test.set(most_ms);
            assert_eq!(test.refusal(), refusal);
        }
    }

    #[test]
    fn a_clock_that_is_set_is_wrong_and_right_at_once_without_another_answer() {
        let mut test = Test::ahead_by(0);
        test.ask(10);
        assert!(test.is_vouched_for());
        for ahead_ms in [-600_000, 600_000, -7_000, 7_000] {
            test.set(ahead_ms);
            assert!(!test.is_vouched_for());
            assert!(
                test.refusal()
                    .unwrap()
                    .contains("clock of this node is wrong")
            );
            test.set(0);
            assert!(test.is_vouched_for());
        }
        test.set(-600_000);
        test.ask(10);
        assert!(!test.is_vouched_for());
        test.set(0);
        assert_eq!(test.refusal(), None);
    }

    #[test]
    fn a_clock_is_vouched_for_only_by_a_recent_and_precise_comparison() {
        let mut test = Test::ahead_by(0);
        assert!(!test.is_vouched_for(), "it was not compared yet");
        test.ask(5_001);
        assert!(!test.is_vouched_for(), "not by an answer that took so long");
        test.ask(5_000);
        test.pass(600_000);
        assert!(test.is_vouched_for());
        test.pass(1);
        assert!(!test.is_vouched_for());
        test.ask(5);
        assert!(test.is_vouched_for());
    }

    #[test]
    fn an_answer_that_was_overtaken_or_took_long_replaces_none() {
        let mut test = Test::ahead_by(0);
        let (late_date_ms, late_sent_ms) = (test.date_ms, test.skew.passed_ms());
        // Both clocks of the node stand still for 10 minutes.
        test.date_ms += 600_000;
        test.ask(10);
        assert!(test.refusal().unwrap().contains("behind"));
        test.skew.note(Comparison {
            date_ms: late_date_ms,
            sent_ms: late_sent_ms,
            answered_ms: test.skew.passed_ms(),
        });
        assert!(test.refusal().unwrap().contains("behind"));
        test.set(0);
        test.ask(60_000);
        test.set(-30_000);
        assert!(test.refusal().unwrap().contains("behind"));
    }
}
