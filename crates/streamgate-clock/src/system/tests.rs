//! [`SystemClock`] over clocks that tests set: steps, suspends, pauses, and times before 1970.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use streamgate_core::{Moment, Stall, Timestamp};

use super::*;

const HOUR_MS: i64 = 3_600_000;
const BOOT_MS: u64 = 10_000_000;
const WALL_MS: i64 = 1_800_000_000_000;

const RULE: StallRule = StallRule {
    after_ms: 2_000,
    grace_ms: 6_000,
};

/// The clocks of a machine, set by tests.
#[derive(Debug, Clone)]
struct Fake(Arc<(AtomicU64, AtomicI64)>);

impl Fake {
    fn at(wall_ms: i64) -> Self {
        Self(Arc::new((AtomicU64::new(BOOT_MS), AtomicI64::new(wall_ms))))
    }

    /// Time passes, on both clocks.
    fn pass(&self, ms: u32) {
        self.0.0.fetch_add(ms.into(), Ordering::SeqCst);
        self.step(ms.into());
    }

    /// Sets the wall clock.
    fn step(&self, ms: i64) {
        self.0.1.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Source for Fake {
    fn passed_ms(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    fn wall_ms(&self) -> i64 {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// A clock with a ticker that a test drives.
struct Ticking {
    fake: Fake,
    clock: SystemClock<Fake>,
    reported: Reported,
}

impl Ticking {
    fn at(wall_ms: i64, kind: Kind) -> Self {
        let fake = Fake::at(wall_ms);
        let clock = SystemClock::over(fake.clone(), kind, RULE);
        let mut reported = Reported::nothing();
        assert_eq!(clock.look(&mut reported), News::default());
        Self {
            fake,
            clock,
            reported,
        }
    }

    fn leases() -> Self {
        Self::at(WALL_MS, Kind::Lease)
    }

    fn wall() -> Self {
        Self::at(WALL_MS, Kind::Wall)
    }

    fn look(&mut self) -> News {
        self.clock.look(&mut self.reported)
    }

    /// Time passes while the ticker runs.
    fn run(&mut self, ms: u32) {
        for _ in 0..ms / 250 {
            self.fake.pass(250);
            assert_eq!(self.look(), News::default());
        }
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.now().time.as_millis()).unwrap()
    }

    /// What an answer shows for now.
    fn shown_ms(&self) -> i64 {
        self.now_ms() + self.clock.wall_offset_ms()
    }
}

fn stall(from_ms: i64, until_ms: i64) -> Stall {
    let at = |ms: i64| Timestamp::from_millis(ms.try_into().unwrap());
    Stall {
        from: at(from_ms),
        until: at(until_ms),
    }
}

#[test]
fn a_step_of_the_wall_clock_moves_shown_times_and_no_lease_and_is_reported_once() {
    let steps = [HOUR_MS, -2 * HOUR_MS, 86_400_000 * 365 * 30];
    let cases = steps.map(|step_ms| [(Kind::Lease, step_ms), (Kind::BesideServer, step_ms)]);
    for (kind, step_ms) in cases.into_iter().flatten() {
        let mut ticking = Ticking::at(WALL_MS, kind);
        ticking.run(10_000);
        ticking.fake.step(step_ms);
        let news = ticking.look();
        assert_eq!((news.step_ms, news.stall), (Some(step_ms), None));
        assert_eq!(ticking.now_ms(), WALL_MS + 10_000, "leases do not move");
        assert_eq!(ticking.shown_ms(), WALL_MS + 10_000 + step_ms);
        ticking.run(90_000);
        let disturbances = Disturbances {
            stalls: 0,
            steps: 1,
        };
        assert_eq!(ticking.clock.disturbances(), disturbances);
        assert_eq!(ticking.now_ms(), WALL_MS + 100_000);
        assert_eq!(ticking.shown_ms(), WALL_MS + 100_000 + step_ms);
    }
}

#[test]
fn small_steps_are_followed_once_they_add_up() {
    let mut ticking = Ticking::leases();
    ticking.fake.step(60);
    assert_eq!(ticking.look(), News::default());
    assert_eq!(ticking.clock.wall_offset_ms(), 0, "times do not jitter");
    ticking.fake.step(60);
    assert_eq!(ticking.look().step_ms, Some(120));
    assert_eq!(ticking.clock.wall_offset_ms(), 120);
}

#[test]
fn a_lease_clock_made_before_1970_counts_and_follows_a_corrected_wall_clock() {
    let mut ticking = Ticking::at(-86_400_000, Kind::Lease);
    let begin_ms = ticking.now_ms();
    ticking.run(5_000);
    assert_eq!(ticking.now_ms(), begin_ms + 5_000);
    ticking.fake.step(WALL_MS + 86_400_000 - 5_000);
    assert!(ticking.look().step_ms.is_some());
    assert_eq!(ticking.shown_ms(), WALL_MS);
    assert_eq!(ticking.now_ms(), begin_ms + 5_000);
}

#[test]
fn a_pause_and_a_suspend_are_a_stall_that_the_first_reading_behind_it_sees() {
    // Suspend counts as time that passed; the process cannot tell it from a pause.
    for kind in [Kind::Lease, Kind::BesideServer, Kind::Wall] {
        let mut ticking = Ticking::at(WALL_MS, kind);
        ticking.run(10_000);
        ticking.fake.pass(8_000);
        let stalled = stall(WALL_MS + 10_000, WALL_MS + 18_000);
        let moment = Moment {
            time: stalled.until,
            stall: Some(stalled),
        };
        assert_eq!(ticking.clock.now(), moment);
        let news = ticking.look();
        assert_eq!((news.stall, news.step_ms), (Some(stalled), None));
        assert_eq!(ticking.look(), News::default(), "it is told once");
        assert_eq!(ticking.clock.now(), moment);
    }
}

#[test]
fn two_stalls_in_a_row_are_each_reported_and_are_one_for_leases() {
    let mut ticking = Ticking::leases();
    ticking.fake.pass(8_000);
    assert!(ticking.look().stall.is_some());
    ticking.run(1_000);
    ticking.fake.pass(8_000);
    let both = stall(WALL_MS, WALL_MS + 17_000);
    assert_eq!(ticking.look().stall, Some(both));
}

#[test]
fn a_tick_that_is_late_by_less_than_the_rule_is_no_stall() {
    let mut ticking = Ticking::leases();
    ticking.fake.pass(2_000);
    assert_eq!(ticking.look(), News::default());
    ticking.clock.set_policy(&Policy::default());
    ticking.fake.pass(30_000);
    assert_eq!(ticking.look(), News::default(), "the interval is 30 s now");
    ticking.fake.pass(30_001);
    assert!(ticking.look().stall.is_some());
}

#[test]
fn the_wall_form_follows_a_step_at_once_but_waits_out_a_small_one_back() {
    let mut ticking = Ticking::wall();
    ticking.fake.step(HOUR_MS);
    assert_eq!(ticking.now_ms(), WALL_MS + HOUR_MS);
    assert_eq!(ticking.look().step_ms, Some(HOUR_MS));
    ticking.fake.step(-5_000);
    assert_eq!(ticking.now_ms(), WALL_MS + HOUR_MS, "it waits");
    ticking.fake.pass(5_001);
    assert_eq!(ticking.now_ms(), WALL_MS + HOUR_MS + 1, "it goes on");
    ticking.fake.step(-5_001);
    assert_eq!(ticking.now_ms(), WALL_MS + HOUR_MS - 5_000, "it follows");
    ticking.fake.step(-2 * HOUR_MS);
    assert_eq!(ticking.now_ms(), WALL_MS - HOUR_MS - 5_000);
    assert_eq!(ticking.clock.wall_offset_ms(), 0);
}

#[test]
fn the_wall_form_counts_a_step_as_no_stall() {
    let mut ticking = Ticking::wall();
    ticking.run(1_000);
    ticking.fake.step(600_000);
    ticking.fake.pass(250);
    assert_eq!(ticking.clock.now().stall, None);
}

/// As the clock that is frozen between calls has it.
#[test]
fn no_pause_is_a_stall_under_the_rule_that_never_holds() {
    let fake = Fake::at(WALL_MS);
    let clock = SystemClock::over(fake.clone(), Kind::Wall, StallRule::NEVER);
    for pause_ms in [1_000, 3_600_000, u32::MAX] {
        fake.pass(pause_ms);
        assert_eq!(clock.now().stall, None);
    }
}

#[test]
fn the_machines_clock_starts_at_the_wall_clock_and_does_not_go_backwards() {
    for clock in [
        SystemClock::new(),
        SystemClock::beside_a_server(&Policy::default()),
        SystemClock::on_the_wall(&Policy::default()),
        SystemClock::frozen_between_calls(),
    ] {
        let wall_ms = crate::wall_ms();
        let now_ms = i64::try_from(clock.now().time.as_millis()).unwrap();
        assert!(wall_ms.abs_diff(now_ms) < 1_000);
        let times: Vec<Timestamp> = (0..10_000).map(|_| clock.now().time).collect();
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}

/// The thread holds the clock only while it reads it.
#[test]
fn the_ticker_ends_with_the_clock() {
    let clock = SystemClock::new().start().unwrap();
    let watching = Arc::downgrade(&clock);
    drop(clock);
    while watching.strong_count() > 0 {
        std::thread::yield_now();
    }
}
