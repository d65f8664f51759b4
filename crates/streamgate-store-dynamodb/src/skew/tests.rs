//! Comparisons on a manual clock.

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
