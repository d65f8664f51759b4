//! An estimate of a server's time, from its answers: never ahead, and behind by no more than the
//! latency of the quickest answer. The server checks it with each speculative commit. It also
//! notices that the server's time leapt, or that the server was silent for long: a stall.

use std::sync::Arc;

use parking_lot::Mutex;
use streamgate_clock::{StallRule, Stalls, passed_ms};
use streamgate_core::{Moment, Timestamp};

/// The probe hears each server at least this often, in milliseconds.
const ASKED_EVERY_MS: u64 = 3_000;

/// Answers overtake each other by less than this, in milliseconds. A time further back means that
/// the clock was set back.
const OVERTAKEN_MS: u64 = 1_000;

/// The stall rule of all servers of a store, replaceable while there is a store. Clones share it.
#[derive(Debug, Clone)]
pub struct CurrentStallRule(Arc<Mutex<StallRule>>);

impl CurrentStallRule {
    pub(crate) fn new(rule: StallRule) -> Self {
        Self(Arc::new(Mutex::new(rule)))
    }

    fn get(&self) -> StallRule {
        *self.0.lock()
    }

    /// Every later answer of a server is judged by this rule.
    pub fn replace(&self, rule: StallRule) {
        *self.0.lock() = rule;
    }
}

/// The estimate of one server's clock.
#[derive(Debug)]
pub(crate) struct ServerClock {
    rule: CurrentStallRule,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The server's time at the start of this machine, in milliseconds; `None` before the first
    /// answer.
    started_at_ms: Option<i64>,
    /// The latest answer, or that of the server whose place this one takes.
    heard: Option<ServerTime>,
    stalls: Stalls,
    /// Whether `heard` is of a server whose slots have moved here since the latest answer.
    slots_moved: bool,
}

/// A time told by a server, and when: in milliseconds since the start of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerTime {
    pub(crate) passed_ms: u64,
    pub(crate) time: Timestamp,
}

impl ServerTime {
    /// How much later it is than `before` lets expect, in milliseconds: by so much the clock leapt,
    /// or the server was silent.
    fn late_ms(self, before: Self) -> u64 {
        let on_server_ms = self.time.millis_since(before.time);
        let here_ms = self.passed_ms.saturating_sub(before.passed_ms);
        let leapt_ms = on_server_ms.saturating_sub(here_ms);
        leapt_ms.max(on_server_ms.saturating_sub(ASKED_EVERY_MS))
    }
}

impl State {
    /// The time of the server, or a little less; `None` before the first answer.
    fn estimate(&self, passed_ms: u64) -> Option<Timestamp> {
        let estimate_ms = self.started_at_ms?.saturating_add(signed(passed_ms));
        let estimate = Timestamp::from_millis(u64::try_from(estimate_ms).unwrap_or(0));
        Some(estimate.max(self.heard?.time))
    }
}

impl ServerClock {
    /// `before` is the last time heard of the server whose place this one takes.
    pub(crate) fn new(rule: CurrentStallRule, before: Option<ServerTime>) -> Self {
        let mut stalls = Stalls::new(rule.get());
        if let Some(before) = before {
            stalls.see(before.time, 0);
        }
        Self {
            rule,
            state: Mutex::new(State {
                started_at_ms: None,
                heard: before,
                stalls,
                slots_moved: false,
            }),
        }
    }

    /// The server's time, or a little less, and the last stall. `None` before the first answer, and
    /// after a silence so long that the next answer may reveal a stall.
    pub(crate) fn now(&self) -> Option<Moment> {
        self.now_after(passed_ms())
    }

    fn now_after(&self, passed_ms: u64) -> Option<Moment> {
        let state = self.state.lock();
        let silent_ms = passed_ms.saturating_sub(state.heard?.passed_ms);
        if silent_ms > self.rule.get().after_ms.saturating_add(ASKED_EVERY_MS) {
            return None;
        }
        Some(state.stalls.at(state.estimate(passed_ms)?))
    }

    /// The latest answer.
    pub(crate) fn last_heard(&self) -> Option<ServerTime> {
        self.state.lock().heard
    }

    /// Takes in the time that the server has just told; returns it with the last stall. Of all
    /// answers the quickest gives the latest time, and so the best estimate.
    pub(crate) fn heard(&self, time: Timestamp) -> Moment {
        self.heard_after(time, passed_ms(), false)
    }

    /// Takes in the time with which the server refused a commit that was decided by the estimate:
    /// its clock was set, runs slower, or stood still, or another server took its place.
    pub(crate) fn corrected(&self, time: Timestamp) -> Moment {
        self.heard_after(time, passed_ms(), true)
    }

    fn heard_after(&self, time: Timestamp, passed_ms: u64, is_correction: bool) -> Moment {
        let mut state = self.state.lock();
        state.stalls.set_rule(self.rule.get());
        // The millisecond that has begun counts as over: never ahead.
        let started_at_ms = signed(time.as_millis()).saturating_sub(signed(passed_ms) + 1);
        state.started_at_ms = match state.started_at_ms {
            Some(known_ms) if !is_correction => Some(known_ms.max(started_at_ms)),
            _ => Some(started_at_ms),
        };
        let overtaken_ms = state.heard.map_or(0, |last| last.time.millis_since(time));
        if !is_correction && (1..OVERTAKEN_MS).contains(&overtaken_ms) {
            return state.stalls.at(time);
        }
        let heard = ServerTime { passed_ms, time };
        let late_ms = state.heard.map_or(0, |last| heard.late_ms(last));
        state.heard = Some(heard);
        let from = |moment: Moment| moment.stall.map(|stall| stall.from);
        let known_from = from(state.stalls.at(time));
        let moment = state.stalls.see(time, late_ms);
        let slots_moved = std::mem::take(&mut state.slots_moved);
        if !state.stalls.is_late(late_ms) {
            return moment;
        }
        if !slots_moved {
            tracing::warn!(
                late_ms,
                "the time of the store's server leapt, or the server did not answer for long. \
                 Sessions that held a slot hold it for one lease more"
            );
        } else if from(moment) != known_from {
            // Slots move one by one: those behind the first prolong its stall.
            tracing::warn!(
                late_ms,
                "slots of the cluster moved to a server whose clock is ahead of their former \
                 server's. Sessions that held a slot hold it for one lease more"
            );
        }
        moment
    }

    /// Slots move here from the server that was last heard as `before`. For their sessions the time
    /// goes on from there, so a clock that is ahead of that one is a leap.
    pub(crate) fn takes_over(&self, before: ServerTime) {
        self.takes_over_after(before, passed_ms());
    }

    fn takes_over_after(&self, before: ServerTime, passed_ms: u64) {
        let mut state = self.state.lock();
        state.stalls.set_rule(self.rule.get());
        match state.estimate(passed_ms) {
            Some(time) => {
                let late_ms = ServerTime { passed_ms, time }.late_ms(before);
                if !state.stalls.is_late(late_ms) {
                    return;
                }
                state.slots_moved = true;
            }
            // Of several servers before this one, the earliest time counts.
            None if state.heard.is_some_and(|known| known.time <= before.time) => return,
            None => {}
        }
        // The next answer is judged as the first of a new server is.
        state.started_at_ms = None;
        state.heard = Some(before);
        state.stalls.see(before.time, 0);
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use streamgate_core::Stall;

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const RULE: StallRule = StallRule {
        after_ms: 2_000,
        grace_ms: 6_000,
    };

    fn later(ms: u64) -> Timestamp {
        Timestamp::from_millis(AT.as_millis() + ms)
    }

    fn rule() -> CurrentStallRule {
        CurrentStallRule::new(RULE)
    }

    /// A server that was heard at `AT`, when 10 s had passed.
    fn heard() -> ServerClock {
        let clock = ServerClock::new(rule(), None);
        clock.heard_after(AT, 10_000, false);
        clock
    }

    #[test]
    fn there_is_no_estimate_before_the_first_answer() {
        let clock = ServerClock::new(rule(), None);
        assert_eq!(clock.now(), None);
        clock.heard(AT);
        assert!(clock.now().unwrap().time >= AT, "time does not go back");
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_changes_nothing_and_a_correction_everything() {
        let clock = heard();
        let late = Timestamp::from_millis(AT.as_millis() - 100);
        clock.heard_after(late, 10_000, false);
        assert_eq!(clock.now_after(10_000), Some(AT.into()));
        let hour_before = Timestamp::from_millis(AT.as_millis() - 3_600_000);
        clock.heard_after(hour_before, 10_000, true);
        let corrected = clock.now_after(10_000).unwrap();
        assert_eq!(corrected, hour_before.into());
    }

    #[test]
    fn a_leap_of_the_servers_clock_is_a_stall_for_the_answer_that_tells_of_it() {
        let clock = heard();
        let moment = clock.heard_after(later(3_600_100), 10_100, false);
        let stall = Some(Stall {
            from: AT,
            until: later(3_600_100),
        });
        assert_eq!((moment.time, moment.stall), (later(3_600_100), stall));
        assert_eq!(clock.now_after(10_200).unwrap().stall, stall);
    }

    #[test]
    fn a_server_that_does_not_answer_is_a_stall_and_one_that_is_asked_in_time_is_none() {
        let clock = heard();
        assert_eq!(clock.heard_after(later(4_900), 14_900, false).stall, None);
        assert_eq!(clock.now_after(20_000), None, "ask before you decide");
        let moment = clock.heard_after(later(14_900), 24_900, false);
        assert!(moment.stall.is_some());
    }

    #[test]
    fn a_rule_that_is_replaced_judges_the_next_answer_and_the_next_silence() {
        let strict = StallRule {
            after_ms: 1_000,
            grace_ms: 3_000,
        };
        let rule = rule();
        let clock = ServerClock::new(rule.clone(), None);
        clock.heard_after(AT, 10_000, false);
        assert_eq!(clock.heard_after(later(1_500), 10_000, false).stall, None);
        assert!(clock.now_after(14_500).is_some());
        rule.replace(strict);
        assert_eq!(clock.now_after(14_500), None, "ask before you decide");
        let moment = clock.heard_after(later(3_000), 10_000, false);
        let stall = Some(Stall {
            from: later(1_500),
            until: later(3_000),
        });
        assert_eq!(moment.stall, stall);
        rule.replace(StallRule::NEVER);
        assert!(clock.now_after(1_000_000).is_some());
    }

    #[test]
    fn a_clock_that_is_set_back_is_no_stall() {
        let clock = heard();
        let back = Timestamp::from_millis(AT.as_millis() - 3_600_000);
        assert_eq!(clock.heard_after(back, 10_100, false), back.into());
    }

    /// What a server told whose clock is so far from the one of [`heard`], when 10 s had passed.
    fn of_a_clock_ahead_by(ms: i64) -> ServerTime {
        ServerTime {
            passed_ms: 10_000,
            time: Timestamp::from_millis(AT.as_millis().checked_add_signed(ms).unwrap()),
        }
    }

    #[test]
    fn slots_that_move_to_a_known_server_with_a_clock_ahead_are_a_leap_for_the_next_decision() {
        let clock = heard();
        let before = of_a_clock_ahead_by(-60_000);
        clock.takes_over_after(before, 11_000);
        assert_eq!(clock.now_after(11_000), None, "ask before you decide");
        let answer = clock.heard_after(later(1_100), 11_100, false);
        let stall = Some(Stall {
            from: before.time,
            until: later(1_100),
        });
        assert_eq!((answer.time, answer.stall), (later(1_100), stall));
        assert_eq!(clock.now_after(11_200).unwrap().stall, stall);
    }

    #[test]
    fn slots_that_move_to_a_server_with_a_clock_ahead_by_less_than_the_rule_are_no_leap() {
        for ahead_ms in [2_000, 0, -3_600_000] {
            let clock = heard();
            clock.takes_over_after(of_a_clock_ahead_by(-ahead_ms), 11_000);
            assert_eq!(clock.now_after(11_000).unwrap().stall, None, "{ahead_ms}");
        }
    }

    #[test]
    fn slots_that_move_one_by_one_prolong_one_stall() {
        let clock = heard();
        let first = of_a_clock_ahead_by(-60_000);
        for passed_ms in [10_000, 15_000, 20_000] {
            let time = Timestamp::from_millis(first.time.as_millis() + passed_ms - 10_000);
            clock.takes_over_after(ServerTime { passed_ms, time }, passed_ms);
            let until = later(passed_ms - 10_000);
            let moment = clock.heard_after(until, passed_ms, false);
            let from = first.time;
            assert_eq!(moment.stall, Some(Stall { from, until }));
        }
    }

    #[test]
    fn a_server_that_was_not_heard_yet_follows_the_earliest_of_its_predecessors() {
        let behind = of_a_clock_ahead_by(-60_000);
        for order in [[0, -60_000], [-60_000, 0]] {
            let heir = ServerClock::new(rule(), None);
            for ahead_ms in order {
                heir.takes_over_after(of_a_clock_ahead_by(ahead_ms), 10_000);
            }
            let moment = heir.heard_after(later(1_000), 11_000, false);
            assert_eq!(moment.stall.map(|stall| stall.from), Some(behind.time));
        }
    }

    #[test]
    fn a_server_that_takes_the_place_of_another_with_a_clock_ahead_is_a_leap() {
        let old = heard();
        let heir = ServerClock::new(rule(), old.last_heard());
        assert_eq!(heir.now_after(10_000), None, "its own time is not known");
        let moment = heir.heard_after(later(60_000), 11_000, false);
        assert!(moment.stall.is_some());
    }
}
