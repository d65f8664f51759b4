//! Clock skew: how far this node's clock is from the table's, by the `Date` of its answers.
//!
//! Nodes count leases by their own clocks. One whose skew is larger than the policy allows would
//! cut the leases of others, or grant leases that are over already; so it must not decide.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::UNIX_EPOCH;

use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use streamgate_clock::Clock;
use streamgate_core::Seconds;
use streamgate_core::bounds::CLOCK_SKEW_MAX_S;
use streamgate_store::{Refusal, StoreError};

/// A `Date` has whole seconds: the table's clock is up to this many milliseconds past it.
const DATE_MS: i64 = 1_000;

/// Receives the clock skew measured at every answer of the table, for metrics only.
pub trait ClockObserver: Send + Sync + fmt::Debug + 'static {
    /// The node's clock is ahead of the table's by at least `ahead_ms` milliseconds; behind if it
    /// is negative, and 0 if the answer allows that the clocks agree.
    fn skew(&self, ahead_ms: i64);
}

/// Compares this node's clock with the table's at every answer.
#[derive(Debug)]
pub(crate) struct Skew {
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn ClockObserver>>,
    /// As [`ClockObserver::skew`] has it.
    ahead_ms: AtomicI64,
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
            ahead_ms: AtomicI64::new(0),
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

    /// Whether the last answer showed that the clock is wrong.
    pub(crate) fn is_wrong(&self) -> bool {
        self.is_wrong.load(Ordering::SeqCst)
    }

    /// Whether this node may decide by its clock.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the last answer showed that it may not.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if !self.is_wrong() {
            return Ok(());
        }
        let ahead_ms = self.ahead_ms.load(Ordering::SeqCst);
        Err(StoreError::Refused(Refusal {
            told: told(ahead_ms),
            why: format!("ahead of the table's by {ahead_ms} ms at least; set it, with NTP"),
        }))
    }

    /// A request left at `sent_ms` and was answered at `now_ms`, with a date of the table's clock
    /// that was read in between.
    fn note(&self, sent_ms: i64, now_ms: i64, date_ms: i64) {
        let (least_ms, most_ms) = (sent_ms - date_ms - DATE_MS, now_ms - date_ms);
        // As near to right as the two allow.
        let ahead_ms = least_ms.max(most_ms.min(0));
        let allowed_ms = Seconds(CLOCK_SKEW_MAX_S).as_millis();
        let is_wrong = ahead_ms.unsigned_abs() > allowed_ms;
        self.ahead_ms.store(ahead_ms, Ordering::SeqCst);
        if let Some(observer) = &self.observer {
            observer.skew(ahead_ms);
        }
        let was_wrong = self.is_wrong.swap(is_wrong, Ordering::SeqCst);
        if is_wrong && !was_wrong {
            tracing::error!(
                ahead_ms,
                allowed_ms,
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

impl Watch {
    fn now_ms(&self) -> i64 {
        i64::try_from(self.skew.clock.now().time.as_millis()).unwrap_or(i64::MAX)
    }
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
        self.sent_ms.store(self.now_ms(), Ordering::SeqCst);
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
            let sent_ms = self.sent_ms.load(Ordering::SeqCst);
            self.skew.note(sent_ms, self.now_ms(), date_ms);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use streamgate_clock::ManualClock;
    use streamgate_core::Timestamp;

    use super::*;

    const DATE: i64 = 1_800_000_000_000;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<i64>>);

    impl ClockObserver for Heard {
        fn skew(&self, ahead_ms: i64) {
            self.0.lock().unwrap().push(ahead_ms);
        }
    }

    fn skew(observer: Option<Arc<dyn ClockObserver>>) -> Arc<Skew> {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        Skew::new(clock, observer)
    }

    #[test]
    fn an_observer_hears_the_skew_of_every_answer() {
        let heard = Arc::new(Heard::default());
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        let skew = skew(None)
            .with_observer(Arc::clone(&heard) as Arc<_>)
            .with_clock(clock);
        for sent_ms in [0, 3_000, -3_000, 600_000] {
            skew.note(DATE + sent_ms, DATE + sent_ms + 10, DATE);
        }
        assert_eq!(*heard.0.lock().unwrap(), [0, 2_000, -2_990, 599_000]);
    }

    fn noted(sent_ms: i64, took_ms: i64) -> Result<(), String> {
        let skew = skew(None);
        skew.note(DATE + sent_ms, DATE + sent_ms + took_ms, DATE);
        skew.check().map_err(|error| error.to_string())
    }

    #[test]
    fn a_clock_is_wrong_only_where_no_moment_of_the_round_trip_makes_it_right() {
        for (sent_ms, took_ms) in [(0, 5), (6_000, 5), (-5_005, 5), (-60_000, 60_000)] {
            assert_eq!(noted(sent_ms, took_ms), Ok(()), "{sent_ms} {took_ms}");
        }
        for (sent_ms, took_ms, words) in [
            (6_001, 5, "ahead by more than 5 seconds"),
            (-5_006, 5, "behind by more than 5 seconds"),
            (-600_000, 5, "behind by more than a minute"),
            (3_700_000, 5, "ahead by more than an hour"),
            (-900_000_000, 5, "behind by more than a day"),
        ] {
            let told = noted(sent_ms, took_ms).unwrap_err();
            assert!(told.contains(words), "{sent_ms}: {told}");
        }
    }

    #[test]
    fn a_clock_that_was_set_right_is_believed_at_the_next_answer() {
        let skew = skew(None);
        skew.note(DATE - 600_000, DATE - 599_990, DATE);
        assert!(skew.is_wrong());
        skew.note(DATE, DATE + 10, DATE);
        assert_eq!(skew.check(), Ok(()));
    }
}
