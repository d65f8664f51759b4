//! The number of users that met a failure lately: a call about them was answered 5xx.
//!
//! A rate of errors cannot tell one player that retries from a service that fails for all users.
//! This number can, and it is the same for a small platform and a large one.
//!
//! Only failures touch it. Users are remembered by a keyed hash, so that neither the page nor a
//! dump of the memory names them, and no caller can choose ids that collide.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use streamgate_clock::Clock;
use streamgate_core::bounds::FAILED_USERS_MAX;
use streamgate_core::{Seconds, Timestamp, UserKey};

use super::level;
use super::page::Page;

/// How long a user counts after its last failure.
const WINDOW: Seconds = Seconds(300);

/// How often users that no longer count are looked for while no other user fits, in milliseconds.
/// It takes time, and failures come thick when no user fits.
const MAKE_ROOM_EVERY_MS: u64 = 1_000;

/// Users that met a failure lately.
#[derive(Debug)]
pub(super) struct FailedUsers {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    seen: Mutex<Seen>,
    shown: Gauge,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last failure of each user, by the hash of the user.
    last: HashMap<u64, Timestamp>,
    made_room_at: Timestamp,
}

impl FailedUsers {
    /// No user met one. `clock` tells when a failure is over.
    pub(super) fn new(page: &mut Page, clock: Arc<dyn Clock>) -> Self {
        Self {
            shown: page.gauge(
                "streamgate_failed_users",
                "Users about whom a call failed on this node (5xx, or the error of a dialect for \
                 it) within the last 5 minutes; at most 10000 are counted. A user at its limit is \
                 none of them. Alarm on 10",
            ),
            clock,
            hasher: RandomState::new(),
            seen: Mutex::default(),
        }
    }

    /// A call about this user has failed. Beyond [`FAILED_USERS_MAX`] users, others are not
    /// counted.
    pub(super) fn add(&self, user: &UserKey) {
        let user = self.hasher.hash_one(user.as_bytes());
        let mut seen = self.seen.lock();
        // Read under the lock, so that no entry is from the future of a later reading.
        let now = self.clock.now().time;
        if seen.last.contains_key(&user) || seen.has_room(now) {
            seen.last.insert(user, now);
        }
    }

    /// Sets the metric.
    pub(super) fn show(&self) {
        self.shown.set(level(self.count()));
    }

    /// How many users met a failure within the last five minutes.
    fn count(&self) -> usize {
        let mut seen = self.seen.lock();
        let now = self.clock.now().time;
        seen.forget_old(now);
        seen.last.len()
    }
}

impl Seen {
    fn has_room(&mut self, now: Timestamp) -> bool {
        let waited_ms = now.millis_since(self.made_room_at);
        let is_due = waited_ms >= MAKE_ROOM_EVERY_MS || now < self.made_room_at;
        if self.last.len() >= FAILED_USERS_MAX && is_due {
            self.made_room_at = now;
            self.forget_old(now);
        }
        self.last.len() < FAILED_USERS_MAX
    }

    /// Failures from the future are of a clock that was set back since.
    fn forget_old(&mut self, now: Timestamp) {
        self.last
            .retain(|_, at| *at <= now && now.millis_since(*at) < WINDOW.as_millis());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use streamgate_clock::ManualClock;
    use streamgate_core::{TenantId, UserId};

    use super::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn failed_users() -> (Arc<ManualClock>, FailedUsers) {
        let clock = Arc::new(ManualClock::at(BEGIN));
        (
            Arc::clone(&clock),
            FailedUsers::new(&mut Page::default(), clock),
        )
    }

    fn user(tenant: &str, id: &str) -> UserKey {
        UserKey::new(&TenantId::new(tenant).unwrap(), &UserId::new(id).unwrap())
    }

    #[test]
    fn each_user_counts_once_and_tenants_have_users_of_their_own() {
        let (_, failed) = failed_users();
        assert_eq!(failed.count(), 0);
        for (tenant, id) in [("a", "x"), ("a", "x"), ("a", "y"), ("b", "x")] {
            failed.add(&user(tenant, id));
        }
        assert_eq!(failed.count(), 3);
    }

    #[test]
    fn a_user_counts_for_five_minutes_after_its_last_failure() {
        let (clock, failed) = failed_users();
        failed.add(&user("a", "x"));
        failed.add(&user("a", "y"));
        clock.advance(Duration::from_secs(200));
        failed.add(&user("a", "y"));
        clock.advance(Duration::from_millis(99_999));
        assert_eq!(failed.count(), 2);
        clock.advance(Duration::from_millis(1));
        assert_eq!(failed.count(), 1);
        clock.advance(Duration::from_secs(200));
        assert_eq!(failed.count(), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_no_user_for_longer() {
        let (clock, failed) = failed_users();
        failed.add(&user("a", "x"));
        clock.set(Timestamp::from_millis(BEGIN.as_millis() - 3_600_000));
        assert_eq!(failed.count(), 0);
        failed.add(&user("a", "y"));
        assert_eq!(failed.count(), 1);
    }

    #[test]
    fn users_beyond_the_bound_are_not_counted_until_others_are_forgotten() {
        let (clock, failed) = failed_users();
        let some = |from: usize, count: usize| {
            for number in from..from + count {
                failed.add(&user("a", &number.to_string()));
            }
        };
        some(0, FAILED_USERS_MAX / 2);
        clock.advance(Duration::from_secs(200));
        some(FAILED_USERS_MAX / 2, FAILED_USERS_MAX);
        assert_eq!(failed.count(), FAILED_USERS_MAX);
        clock.advance(Duration::from_secs(100));
        // The first half is forgotten, and others take its place.
        some(2 * FAILED_USERS_MAX, 10);
        assert_eq!(failed.count(), FAILED_USERS_MAX / 2 + 10);
    }
}
