//! A live audience: sessions start gradually, every player sends heartbeats at its own times, some
//! leave and others join.
//!
//! All times follow from the numbers of the players. So a player takes no memory (two bytes if
//! players are replaced), and a slow server does not slow the players down (open loop).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Slots;
use crate::api::Api;
use crate::figures::float;
use crate::load::{Due, Left, Load, Nanos, Sent, nanos};
use crate::pace::{Pace, Share};
use crate::population::Session;

/// Longest time between a stop and the start that takes its place.
const RETURN_AFTER_MAX: Nanos = 1_000_000_000;

/// The size and rates of an audience.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Audience {
    /// The number of sessions, over all threads.
    pub sessions: u64,
    /// The time in which all sessions start.
    pub ramp: Duration,
    /// The time between two heartbeats of a player.
    pub interval: Duration,
    /// The share of the sessions that stop each minute, each replaced by another start of the user.
    pub churn_per_minute: f64,
}

/// Starts, heartbeats and stops of an audience.
#[derive(Debug)]
pub struct Live {
    api: Arc<Api>,
    slots: Slots,
    /// How many sessions this share has.
    count: u64,
    starts: Pace,
    beats: Pace,
    changes: Pace,
    /// How often each session was stopped and started since: odd while it is stopped. Empty where
    /// sessions do not change.
    turns: Vec<u16>,
    /// Places that start again, and when.
    returning: VecDeque<(Nanos, u64)>,
    return_after: Nanos,
    /// How long after its start a session calls first, at least.
    first_beat_after: Nanos,
    /// What is next, where that is known already.
    upcoming: Option<(Nanos, Act)>,
}

/// What a player does; each has its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Start(u64),
    Beat(u64),
    Stop(u64),
    Return(u64),
}

impl Live {
    /// A share of an audience.
    #[must_use]
    pub fn new(api: Arc<Api>, slots: Slots, audience: &Audience) -> Self {
        let count = slots.share.count(audience.sessions);
        let sessions = float(count);
        let interval = nanos(audience.interval).max(1);
        let settled = interval / 4;
        // No player leaves before its start is answered.
        let changes_begin = nanos(audience.ramp).saturating_add(settled.min(RETURN_AFTER_MAX));
        // Threads take turns, so that they do not all call at the same moments.
        let shift = |gap: f64| {
            let part = float(slots.share.index) / float(slots.share.of);
            Duration::try_from_secs_f64(gap * part).map_or(0, nanos)
        };
        let pace = |per_second: f64, begin: Nanos| {
            let begin = begin.saturating_add(shift(per_second.recip()));
            Pace::new(per_second, begin, Share::ALL)
        };
        let changes_per_s = sessions * audience.churn_per_minute.max(0.0) / 60.0;
        let turns = if changes_per_s > 0.0 { count } else { 0 };
        Self {
            api,
            slots,
            count,
            starts: pace(sessions / audience.ramp.as_secs_f64(), 0),
            beats: pace(sessions / audience.interval.as_secs_f64(), 0),
            changes: pace(changes_per_s, changes_begin),
            turns: vec![0; usize::try_from(turns).expect("a counter a session fits into memory")],
            returning: VecDeque::new(),
            return_after: RETURN_AFTER_MAX.min(interval / 8),
            first_beat_after: settled,
            upcoming: None,
        }
    }

    /// What is next, and when.
    fn upcoming(&mut self) -> (Nanos, Act) {
        if let Some(upcoming) = self.upcoming {
            return upcoming;
        }
        let started = self.starts.passed();
        let start = (started < self.count).then(|| (self.starts.due(), Act::Start(started)));
        let back = self.returning.front();
        let back = back.map(|(due, place)| (*due, Act::Return(*place)));
        let by_time = |(due, _): &(Nanos, Act)| *due;
        let next = loop {
            let other = start.into_iter().chain(back).min_by_key(by_time);
            let change = (!self.turns.is_empty()).then(|| self.changes.due());
            // Heartbeats first, so that they have reached the time of the change when its session
            // is chosen.
            let bound = other.map(|(due, _)| due).into_iter().chain(change).min();
            let beat = self.beat(bound);
            let next = other.into_iter().chain(beat).min_by_key(by_time);
            match change {
                Some(due) if next.is_none_or(|(next, _)| due < next) => {
                    let place = self.far_from_a_beat(self.changes.passed());
                    if !self.is_away(place) {
                        break Some((due, Act::Stop(place)));
                    }
                    self.changes.pass();
                }
                _ => break next,
            }
        };
        // Without sessions, nothing ever is.
        let next = next.unwrap_or((Nanos::MAX, Act::Start(0)));
        self.upcoming = Some(next);
        next
    }

    /// The next heartbeat of a live session, if that is not after `bound`.
    fn beat(&mut self, bound: Option<Nanos>) -> Option<(Nanos, Act)> {
        if self.count == 0 {
            return None;
        }
        loop {
            let due = self.beats.due();
            if bound.is_some_and(|bound| bound < due) {
                return None;
            }
            let place = self.beating(self.beats.passed());
            let is_new = due < self.starts.at(place).saturating_add(self.first_beat_after);
            if place < self.starts.passed() && !is_new && !self.is_away(place) {
                return Some((due, Act::Beat(place)));
            }
            self.beats.pass();
        }
    }

    /// The place of a heartbeat of this number: half a round away from the place whose start was
    /// due at the same time if the audience gathers in one interval: so that first heartbeats come
    /// neither with the start nor after the lease.
    fn beating(&self, number: u64) -> u64 {
        (number % self.count + self.count / 2) % self.count
    }

    /// A place that calls neither now nor soon: no heartbeat of a session should be under way while
    /// it is stopped.
    fn far_from_a_beat(&self, number: u64) -> u64 {
        // Spread over the half of the round that is farthest away.
        let spread = (self.count / 2).max(1);
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let ahead = self.count / 4 + scattered % spread;
        self.beating(self.beats.passed() + ahead)
    }

    fn is_away(&self, place: u64) -> bool {
        !turns_of(&self.turns, place).is_multiple_of(2)
    }

    fn session(&self, place: u64) -> Session {
        let generation = turns_of(&self.turns, place) / 2;
        self.slots.session(place, generation)
    }

    fn start(&self, place: u64, out: &mut Vec<u8>) -> Sent {
        let session = self.session(place);
        self.api.start(session, out);
        Sent::of(0, session)
    }

    /// Counts a stop or a start.
    fn turn(&mut self, place: u64) {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if let Some(turns) = self.turns.get_mut(place) {
            *turns = turns.wrapping_add(1);
        }
    }
}

impl Load for Live {
    fn kinds(&self) -> &'static [&'static str] {
        &["start", "heartbeat", "stop"]
    }

    fn due(&mut self) -> Due {
        Due::At(self.upcoming().0)
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent> {
        let (due, act) = self.upcoming();
        self.upcoming = None;
        Some(match act {
            Act::Start(place) => {
                self.starts.pass();
                self.start(place, out)
            }
            Act::Beat(place) => {
                self.beats.pass();
                let session = self.session(place);
                self.api.heartbeat(session, out);
                Sent::of(1, session)
            }
            Act::Stop(place) => {
                self.changes.pass();
                let session = self.session(place);
                self.api.stop(session, out);
                self.turn(place);
                self.returning.push_back((due + self.return_after, place));
                Sent::of(2, session)
            }
            Act::Return(place) => {
                self.returning.pop_front();
                self.turn(place);
                self.start(place, out)
            }
        })
    }

    /// Those that are live now.
    fn left(self: Box<Self>) -> Left {
        let (slots, turns) = (self.slots, self.turns);
        Box::new((0..self.starts.passed()).filter_map(move |place| {
            let turns = turns_of(&turns, place);
            turns
                .is_multiple_of(2)
                .then(|| slots.session(place, turns / 2))
        }))
    }
}

/// How often the session at a place was stopped and started.
fn turns_of(turns: &[u16], place: u64) -> u16 {
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    turns.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;
    use crate::api::tests::api;

    const SECOND: Nanos = 1_000_000_000;

    fn audience(sessions: u64, ramp_s: u64) -> Audience {
        Audience {
            sessions,
            ramp: Duration::from_secs(ramp_s),
            interval: Duration::from_secs(30),
            churn_per_minute: 0.2,
        }
    }

    fn load(audience: &Audience, share: Share) -> Live {
        let slots = Slots {
            share,
            sessions_per_user: 2,
        };
        Live::new(Arc::new(api(None)), slots, audience)
    }

    /// What the whole audience does in `seconds`, in the order of its times: method and path.
    fn acts(audience: &Audience, threads: usize, seconds: u64) -> Vec<(Nanos, String, String)> {
        let mut all = Vec::new();
        for share in Share::split(threads) {
            let mut live = load(audience, share);
            let mut last = 0;
            while let Due::At(due) = live.due()
                && due < seconds * SECOND
            {
                assert!(due >= last, "times never go back");
                last = due;
                let mut out = Vec::new();
                live.next(&mut out).unwrap();
                let text = String::from_utf8(out).unwrap();
                let mut words = text.split(' ');
                let mut word = || words.next().unwrap().to_owned();
                all.push((due, word(), word()));
            }
        }
        // What one thread does at the same time stays in its order.
        all.sort_by_key(|(due, ..)| *due);
        all
    }

    fn session_of(path: &str) -> String {
        path.trim_end_matches("/heartbeat").to_owned()
    }

    #[test]
    fn every_player_calls_in_time_and_only_while_it_is_live() {
        for (sessions, ramp_s, threads) in [(200, 0, 1), (200, 10, 2), (201, 30, 2), (100, 100, 3)]
        {
            let audience = audience(sessions, ramp_s);
            // When each live session called last.
            let mut live: BTreeMap<String, Nanos> = BTreeMap::new();
            let mut per_user: HashMap<String, i64> = HashMap::new();
            for (due, method, path) in acts(&audience, threads, 300) {
                let session = session_of(&path);
                let user = session.split('/').nth(4).unwrap().to_owned();
                match method.as_str() {
                    "PUT" => {
                        assert!(live.insert(session, due).is_none(), "started once");
                        let count = per_user.entry(user).or_default();
                        *count += 1;
                        assert!(*count <= 2, "a user has its sessions and no more");
                    }
                    "POST" => {
                        let last = live.insert(session, due).expect("it is live");
                        let gap = due - last;
                        // A first one may be early or late: a quarter of the interval, and the
                        // second after a stop.
                        assert!((6 * SECOND..=38 * SECOND).contains(&gap), "{gap} at {due}");
                    }
                    "DELETE" => {
                        live.remove(&session).expect("it was live");
                        *per_user.get_mut(&user).unwrap() -= 1;
                    }
                    other => panic!("{other}"),
                }
                let oldest = live.values().min().copied().unwrap_or(due);
                assert!(due - oldest <= 38 * SECOND, "no session is forgotten");
            }
        }
    }

    #[test]
    fn rates_are_those_of_the_audience() {
        let all = acts(&audience(600, 10), 2, 130);
        let after_ramp = |method: &str| {
            let counts = all
                .iter()
                .filter(|(due, it, _)| it == method && *due >= 70 * SECOND);
            counts.count()
        };
        // 600 sessions, each every 30 s, for a minute; a fifth of them changes in it.
        let beats = after_ramp("POST");
        assert!((1_150..=1_200).contains(&beats), "{beats}");
        for method in ["PUT", "DELETE"] {
            let changes = after_ramp(method);
            assert!((115..=125).contains(&changes), "{method} {changes}");
        }
    }

    #[test]
    fn what_is_left_is_what_was_started_and_not_stopped() {
        let audience = audience(50, 5);
        let mut live = load(&audience, Share::ALL);
        let mut paths: HashMap<String, bool> = HashMap::new();
        while let Due::At(due) = live.due()
            && due < 100 * SECOND
        {
            let mut out = Vec::new();
            live.next(&mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let path = text.split(' ').nth(1).unwrap();
            match &text[..3] {
                "PUT" => paths.insert(path.to_owned(), true),
                "DEL" => paths.insert(path.to_owned(), false),
                _ => None,
            };
        }
        let stop = |session| {
            let mut out = Vec::new();
            api(None).stop(session, &mut out);
            String::from_utf8(out).unwrap()
        };
        let mut left: Vec<String> = Box::new(live)
            .left()
            .map(|session| stop(session).split(' ').nth(1).unwrap().to_owned())
            .collect();
        left.sort();
        let open = paths.into_iter().filter(|(_, is_live)| *is_live);
        let mut expected: Vec<String> = open.map(|(path, _)| path).collect();
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn no_audience_does_nothing() {
        let mut live = load(&audience(0, 1), Share::ALL);
        assert_eq!(live.due(), Due::At(Nanos::MAX));
        // More threads than sessions: some have none.
        let acts = acts(&audience(1, 0), 2, 61);
        let methods: Vec<&str> = acts.iter().map(|(_, method, _)| method.as_str()).collect();
        assert_eq!(methods, ["PUT", "DELETE", "PUT", "POST", "POST"]);
    }
}
