//! When the keys of an issuer are fetched: a state machine over times that are arguments.

use std::time::Duration;

/// How long keys are used before they are fetched again, unless the answer says.
const TTL: Duration = Duration::from_mins(5);

/// The range of what an answer may say.
const TTL_MIN: Duration = Duration::from_mins(1);
const TTL_MAX: Duration = Duration::from_hours(1);

/// How long after a fetch the next one may be asked for, because a token names an unknown key; and
/// how long after one that failed the next is made.
const PAUSE: Duration = Duration::from_secs(30);

/// How long after a failure the next fetch is made while there are no keys at all.
const PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(5);

/// How long keys are used after they were fetched last.
const STALE_MAX: Duration = Duration::from_hours(24);

/// The state of the fetches of one key set. Times are since the process began to count.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// When the next fetch is due.
    due_at: Duration,
    begun_at: Option<Duration>,
    is_running: bool,
    good_at: Option<Duration>,
}

impl Schedule {
    /// The first fetch is due at once.
    pub(crate) const fn new() -> Self {
        Self {
            due_at: Duration::ZERO,
            begun_at: None,
            is_running: false,
            good_at: None,
        }
    }

    /// How long until the next fetch; zero if it is due.
    pub(crate) fn until_due(&self, now: Duration) -> Duration {
        self.due_at.saturating_sub(now)
    }

    /// Begins a fetch, if one is due and none is running.
    pub(crate) fn begin(&mut self, now: Duration) -> bool {
        let begins = !self.is_running && self.until_due(now).is_zero();
        if begins {
            self.is_running = true;
            self.begun_at = Some(now);
        }
        begins
    }

    /// Asks for a fetch, because a key is not known. Whether one will end soon.
    pub(crate) fn ask(&mut self, now: Duration) -> bool {
        if self.is_running {
            return true;
        }
        let is_rested = self
            .begun_at
            .is_none_or(|at| now >= at.saturating_add(PAUSE));
        if is_rested {
            self.due_at = now;
        }
        is_rested || self.until_due(now).is_zero()
    }

    /// A fetch has brought keys.
    pub(crate) fn succeeded(&mut self, now: Duration, max_age: Option<Duration>) {
        self.is_running = false;
        self.good_at = Some(now);
        self.due_at = now + max_age.map_or(TTL, |age| age.clamp(TTL_MIN, TTL_MAX));
    }

    /// A fetch has failed.
    pub(crate) fn failed(&mut self, now: Duration) {
        self.is_running = false;
        let pause = self.good_at.map_or(PAUSE_WITHOUT_KEYS, |_| PAUSE);
        self.due_at = now + pause;
    }

    /// How old the keys are; `None` if there are none.
    pub(crate) fn age(&self, now: Duration) -> Option<Duration> {
        self.good_at.map(|at| now.saturating_sub(at))
    }

    /// Until when the keys are used.
    pub(crate) fn usable_until(&self) -> Option<Duration> {
        self.good_at.map(|at| at + STALE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn keys_are_fetched_again_when_their_answer_says_within_a_minute_and_an_hour() {
        for (said, expected) in [
            (None, 300),
            (Some(5), 60),
            (Some(900), 900),
            (Some(90_000), 3_600),
        ] {
            let mut schedule = Schedule::new();
            assert!(schedule.begin(s(10)));
            assert!(!schedule.begin(s(10)), "one fetch at a time");
            schedule.succeeded(s(11), said.map(s));
            assert_eq!(schedule.until_due(s(11)), s(expected));
            assert!(!schedule.begin(s(10 + expected)));
            assert!(schedule.begin(s(11 + expected)));
        }
    }

    #[test]
    fn an_unknown_key_asks_for_a_fetch_at_most_once_in_30_seconds() {
        let mut schedule = Schedule::new();
        assert!(schedule.begin(s(100)));
        assert!(schedule.ask(s(100)), "the one that is running");
        schedule.succeeded(s(101), None);
        assert!(!schedule.ask(s(129)));
        assert!(!schedule.begin(s(129)));
        assert!(schedule.ask(s(130)));
        assert!(schedule.begin(s(130)));
        schedule.succeeded(s(131), None);
        assert!(!schedule.ask(s(159)));
        assert!(schedule.ask(s(160)));
    }

    #[test]
    fn a_failed_fetch_is_repeated_and_the_keys_serve_for_a_day() {
        let mut schedule = Schedule::new();
        assert!(schedule.begin(s(0)));
        schedule.failed(s(1));
        assert_eq!((schedule.until_due(s(1)), schedule.age(s(1))), (s(5), None));
        assert!(schedule.begin(s(6)));
        schedule.succeeded(s(7), None);
        assert!(schedule.begin(s(307)));
        schedule.failed(s(310));
        assert_eq!(schedule.until_due(s(310)), s(30));
        assert_eq!(schedule.age(s(310)), Some(s(303)));
        assert_eq!(schedule.usable_until(), Some(s(7 + 86_400)));
    }
}
