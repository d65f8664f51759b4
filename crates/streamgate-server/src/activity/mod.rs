//! What this node did in the past hour, for people who look at it: a value a second of what the
//! metrics count, and the last refusals. In fixed memory, so that a page that is opened shows the
//! hour before ([ADR 0029](../../../../docs/adr/0029-the-past-hour.md)).
//!
//! Calls pay nothing for the series: a task reads the counters of [`Metrics`] once a second.
//! Refusals and the sample of users come from the engine: this is an observer of it. No decision
//! depends on any of it. What is *not* here: the wire form ([`crate::v1`]).

mod refusals;
mod second;
mod watching;
mod window;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_clock::{passed_ms, wall_ms};
use streamgate_core::admission::{Refused, Start};
use streamgate_core::bounds::TOP_REFUSED_MAX;
use streamgate_core::{Event, TenantId, UserKey};
use streamgate_engine::EngineObserver;

use crate::metrics::{LatencyCounts, Metrics, Totals};
use crate::push::shortened;
use refusals::Refusals;
use second::{Ring, Second};
use watching::Watching;

pub(crate) use refusals::{Refusal, RefusedUser};
pub(crate) use window::{Point, Window};

const MS_PER_S: u64 = 1_000;

/// A second ends in the middle of one of the clock's, so that a timer that is a little early or
/// late changes nothing.
const MIDDLE_MS: u64 = MS_PER_S / 2;

/// What clocks count up to the start of the machine, so that a window that begins before it has
/// its seconds too: they are empty.
const BEFORE_BOOT_MS: u64 = 2 * 60 * 60 * MS_PER_S;

/// What this node did in the past hour. One for the process: an observer of its engine.
#[derive(Debug)]
pub struct Activity {
    metrics: Arc<Metrics>,
    sampled: Mutex<Sampled>,
    watching: Watching,
    refusals: Refusals,
    started_at: Instant,
}

/// The samples, and what the last one read.
#[derive(Debug)]
struct Sampled {
    ring: Ring,
    totals: Totals,
    latencies: Box<LatencyCounts>,
}

/// A moment on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    /// Milliseconds since [`BEFORE_BOOT_MS`] before the start of the machine.
    passed_ms: u64,
    /// Milliseconds since 1970, on the wall clock.
    pub(crate) wall_ms: u64,
}

impl Instant {
    /// Now.
    pub(crate) fn now() -> Self {
        Self {
            passed_ms: counted_ms(passed_ms()),
            wall_ms: wall_now_ms(),
        }
    }

    /// The second that a time of the wall clock is nearest to the end of; 0 if it is before all.
    fn second_at(self, wall_ms: u64) -> u64 {
        let ago_ms = self.wall_ms.abs_diff(wall_ms);
        let passed_ms = if wall_ms > self.wall_ms {
            self.passed_ms.saturating_add(ago_ms)
        } else {
            self.passed_ms.saturating_sub(ago_ms)
        };
        passed_ms / MS_PER_S
    }

    /// The end of a second on the wall clock.
    pub(crate) fn wall_ms_of(self, second: u64) -> u64 {
        let end_ms = second * MS_PER_S + MIDDLE_MS;
        (self.wall_ms + end_ms).saturating_sub(self.passed_ms)
    }

    const fn minute(self) -> u64 {
        self.passed_ms / (60 * MS_PER_S)
    }
}

/// What [`Instant`] counts, from the milliseconds since the start of the machine.
const fn counted_ms(passed_ms: u64) -> u64 {
    passed_ms + BEFORE_BOOT_MS
}

fn wall_now_ms() -> u64 {
    u64::try_from(wall_ms()).unwrap_or(0)
}

impl Activity {
    /// Nothing has happened. The process starts now; its counts are these metrics.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            sampled: Mutex::new(Sampled {
                ring: Ring::new(),
                totals: metrics.totals(),
                latencies: Box::new(metrics.session_call_latencies()),
            }),
            metrics: Arc::clone(metrics),
            watching: Watching::default(),
            refusals: Refusals::default(),
            started_at: Instant::now(),
        })
    }

    /// Samples once a second until dropped. Without it there are no series.
    pub async fn sample_forever(&self) {
        loop {
            let into_ms = passed_ms() % MS_PER_S;
            let wait_ms = (MS_PER_S + MIDDLE_MS - into_ms) % MS_PER_S;
            let wait_ms = if wait_ms == 0 { MS_PER_S } else { wait_ms };
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            self.sample(counted_ms(passed_ms()) / MS_PER_S);
        }
    }

    /// Reads what was counted up to this second.
    fn sample(&self, second: u64) {
        let totals = self.metrics.totals();
        let latencies = self.metrics.session_call_latencies();
        let watching_users = self.watching.count();
        let mut sampled = self.sampled.lock();
        let Sampled {
            ring,
            totals: before,
            latencies: latencies_before,
        } = &mut *sampled;
        let since = |now: u64, before: u64| bounded(now.saturating_sub(before));
        let ms = |part| {
            let ms = latencies.percentile_ms(latencies_before, part);
            #[expect(clippy::cast_possible_truncation, reason = "three digits are shown")]
            ms.map(|ms| ms as f32)
        };
        let sample = Second {
            starts: since(totals.starts, before.starts),
            refusals: since(totals.refusals, before.refusals),
            heartbeats: since(totals.heartbeats, before.heartbeats),
            ended: std::array::from_fn(|at| since(totals.ended[at], before.ended[at])),
            live_sessions: bounded(totals.live_sessions),
            watching_users,
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
        };
        ring.add(second, sample);
        *before = totals;
        **latencies_before = latencies;
    }

    /// The last `window_s` seconds; only what is behind `after_ms`, a time of the wall clock, if
    /// that is given.
    pub(crate) fn window(&self, window_s: u64, after_ms: Option<u64>, now: Instant) -> Window {
        let after = after_ms.map(|after_ms| now.second_at(after_ms));
        let sampled = self.sampled.lock();
        Window::of(&sampled.ring, window_s, after, now.passed_ms / MS_PER_S)
    }

    /// The users of a tenant that were refused most often in the last `window_s` seconds, to the
    /// minute.
    pub(crate) fn top_refused(
        &self,
        tenant: &TenantId,
        window_s: u64,
        now: Instant,
    ) -> Vec<RefusedUser> {
        let minutes = window_s.div_ceil(60);
        let (tenant, minute) = (tenant.as_str(), now.minute());
        self.refusals.top(tenant, minute, minutes, TOP_REFUSED_MAX)
    }

    /// The last refusals of a user on this node, newest first.
    pub(crate) fn refusals_of(&self, user: &UserKey) -> Vec<Arc<Refusal>> {
        self.refusals.of_user(user)
    }

    /// The last refusals of a tenant on this node, newest first; at most `count`.
    pub(crate) fn latest_refusals(&self, tenant: &TenantId, count: usize) -> Vec<Arc<Refusal>> {
        self.refusals.latest(tenant.as_str(), count)
    }

    /// When the process started, on the wall clock, in milliseconds since 1970.
    pub(crate) const fn started_at_ms(&self) -> u64 {
        self.started_at.wall_ms
    }

    /// How long the process has been running, in seconds.
    pub(crate) const fn uptime_s(&self, now: Instant) -> u64 {
        now.passed_ms.saturating_sub(self.started_at.passed_ms) / MS_PER_S
    }
}

impl EngineObserver for Activity {
    fn committed(&self, user: &UserKey, events: &[Event]) {
        self.watching.committed(user, events);
    }

    fn refused(&self, user: &UserKey, start: &Start, refused: &Refused) {
        let now = Instant::now();
        let refusal = Refusal::new(user, start, shortened(refused), now.wall_ms);
        self.refusals.add(refusal, now.minute());
    }

    fn swept(&self, user: &UserKey, live: usize) {
        self.watching.swept(user, live);
    }
}

fn bounded(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use streamgate_clock::ManualClock;
    use streamgate_core::Timestamp;
    use streamgate_core::admission::{StartOutcome, StopOutcome};
    use streamgate_engine::Answer;

    use super::*;

    const NOW: Instant = Instant {
        passed_ms: 70_900,
        wall_ms: 1_795_242_600_000,
    };

    #[test]
    fn seconds_have_a_time_on_the_wall_that_leads_back_to_them() {
        assert_eq!(NOW.wall_ms_of(70), NOW.wall_ms - 400);
        for second in 0..200 {
            // Clocks are read one after the other, and the wall clock is slewed.
            for off_ms in [-300, 0, 300] {
                let shown = NOW.wall_ms_of(second).saturating_add_signed(off_ms);
                assert_eq!(NOW.second_at(shown), second, "{off_ms}");
            }
        }
        assert_eq!(NOW.second_at(0), 0);
    }

    /// A virtual machine serves seconds after its start.
    #[test]
    fn a_machine_that_has_just_started_has_a_point_for_each_step_of_the_hour() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1)));
        let activity = Activity::new(&Arc::new(Metrics::new(clock)));
        let now = Instant {
            passed_ms: counted_ms(70_900),
            ..NOW
        };
        activity.sample(counted_ms(70_500) / MS_PER_S);
        for (window_s, points) in [(10, 10), (600, 600), (601, 61), (3_600, 360)] {
            let window = activity.window(window_s, None, now);
            assert_eq!(window.points.len(), points, "{window_s}");
            let first_ms = now.wall_ms_of(window.first);
            assert!(now.wall_ms - first_ms <= MS_PER_S * (window_s + 10));
        }
    }

    #[test]
    fn a_sample_holds_what_was_counted_since_the_one_before() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1)));
        let metrics = Arc::new(Metrics::new(clock));
        metrics.set_live_sessions(7);
        let activity = Activity::new(&metrics);
        let refused = StartOutcome::Refused(Refused {
            rule: "limit".into(),
            limit: 1,
            active: 1,
            conflict: Vec::new(),
            next_slot_at: None,
        });
        let route = metrics.http_route("/v1/users/{user_id}/sessions/{session_id}");
        for _ in 0..3 {
            metrics.answered(Answer::Start(&refused));
            metrics.answered(Answer::DegradedStart);
            let took = Duration::from_millis(2);
            route.observe("PUT", axum::http::StatusCode::CONFLICT, took);
            // No session call.
            route.observe("OPTIONS", axum::http::StatusCode::OK, 100 * took);
        }
        activity.sample(69);
        metrics.answered(Answer::Stop(&StopOutcome::Stopped));
        activity.sample(70);
        let window = activity.window(10, None, NOW);
        assert_eq!((window.first, window.points.len()), (61, 10));
        let [.., before, last] = window.points[..] else {
            panic!("{window:?}");
        };
        let before = before.unwrap();
        assert_eq!((before.refusals, before.starts), (3.0, 3.0));
        assert_eq!(before.live_sessions, 7);
        let (p50, p99) = (before.p50_ms.unwrap(), before.p99_ms.unwrap());
        assert!((1.9..2.1).contains(&p50) && p50 == p99, "{p50} {p99}");
        let last = last.unwrap();
        assert_eq!((last.refusals, last.starts, last.p50_ms), (0.0, 0.0, None));
    }
}
