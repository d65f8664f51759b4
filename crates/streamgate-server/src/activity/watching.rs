//! How many users watch now: have a live session.
//!
//! No number beside the sessions is kept per user, and there may be ten million of them. So the
//! live sessions of a sample of the users are counted: of all users while they are few, and of one
//! in two, four, eight ... by their hash, once they are more (adaptive sampling). The sweep reads
//! every record, and sets what is counted of it: users of before a restart come in by that, and no
//! mistake lasts longer than a pass.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use streamgate_core::bounds::WATCHING_SAMPLE_MAX;
use streamgate_core::{Event, UserKey};

/// Users that watch, as a sample.
#[derive(Debug, Default)]
pub(super) struct Watching {
    hasher: RandomState,
    /// One in `2 ^ level` users is in the sample. It only grows.
    level: AtomicU32,
    /// Live sessions of users in the sample, by the hash of the user: the map need not hash it well
    /// once more. No user has 0.
    users: Mutex<HashMap<u64, u32, foldhash::fast::RandomState>>,
}

impl Watching {
    /// A change of a user was committed.
    pub(super) fn committed(&self, user: &UserKey, events: &[Event]) {
        let change: i32 = events
            .iter()
            .map(|event| match event {
                Event::Started(_) | Event::Revived(_) => 1,
                Event::Ended(_) => -1,
                _ => 0,
            })
            .sum();
        if change != 0 {
            self.set(user, |live| live.saturating_add_signed(change));
        }
    }

    /// Sets the number of live sessions.
    pub(super) fn swept(&self, user: &UserKey, live: usize) {
        self.set(user, |_| u32::try_from(live).unwrap_or(u32::MAX));
    }

    /// How many users watch: exact while none is left out of the sample.
    pub(super) fn count(&self) -> u32 {
        let users = self.users.lock();
        let count = (users.len() as u64) << self.level.load(Ordering::Relaxed);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn set(&self, user: &UserKey, live: impl FnOnce(u32) -> u32) {
        let hash = self.hasher.hash_one(user.as_bytes());
        let is_left_out = || !is_sampled(hash, self.level.load(Ordering::Relaxed));
        if is_left_out() {
            return;
        }
        let mut users = self.users.lock();
        // The sample may have been thinned out meanwhile.
        if is_left_out() {
            return;
        }
        let before = users.get(&hash).copied().unwrap_or_default();
        match (before, live(before)) {
            (before, after) if before == after => {}
            (_, 0) => {
                users.remove(&hash);
            }
            (_, after) => {
                users.insert(hash, after);
            }
        }
        while users.len() > WATCHING_SAMPLE_MAX {
            let level = self.level.load(Ordering::Relaxed) + 1;
            self.level.store(level, Ordering::Relaxed);
            users.retain(|hash, _| is_sampled(*hash, level));
        }
    }
}

const fn is_sampled(hash: u64, level: u32) -> bool {
    hash.trailing_zeros() >= level
}

#[cfg(test)]
mod tests {
    use streamgate_core::{
        EndReason, Ending, Seconds, Session, SessionId, TenantId, Timestamp, UserId,
    };

    use super::*;

    fn user(number: usize) -> UserKey {
        let id = UserId::new(number.to_string()).unwrap();
        UserKey::new(&TenantId::default_tenant(), &id)
    }

    fn started() -> Event {
        let at = Timestamp::from_millis(1);
        Event::Started(Session {
            id: SessionId::new("s").unwrap(),
            started_at: at,
            last_seen_at: at,
            expires_at: at,
            lease: Seconds(90),
            metadata: None,
        })
    }

    fn ended() -> Event {
        Event::Ended(Ending {
            id: SessionId::new("s").unwrap(),
            ended_at: Timestamp::from_millis(1),
            reason: EndReason::Stopped,
            taken_by: None,
            session: None,
        })
    }

    #[test]
    fn users_count_while_they_have_a_session() {
        let watching = Watching::default();
        watching.committed(&user(1), &[started()]);
        watching.committed(&user(1), &[started()]);
        watching.committed(&user(2), &[started()]);
        assert_eq!(watching.count(), 2);
        watching.committed(&user(1), &[ended(), started()]);
        watching.committed(&user(1), &[ended()]);
        watching.committed(&user(2), &[ended()]);
        assert_eq!(watching.count(), 1);
        watching.committed(&user(1), &[ended()]);
        // Of a session that started before a restart.
        watching.committed(&user(3), &[ended()]);
        assert_eq!(watching.count(), 0);
    }

    #[test]
    fn a_sweep_sets_what_was_counted() {
        let watching = Watching::default();
        watching.swept(&user(1), 2);
        watching.swept(&user(2), 0);
        assert_eq!(watching.count(), 1);
        watching.committed(&user(1), &[ended()]);
        assert_eq!(watching.count(), 1);
        watching.swept(&user(1), 0);
        assert_eq!(watching.count(), 0);
    }

    #[test]
    fn a_million_users_are_counted_within_three_percent_in_fixed_memory() {
        const USERS: usize = 1_000_000;
        let watching = Watching::default();
        for number in 0..USERS {
            watching.swept(&user(number), 1);
            if number == WATCHING_SAMPLE_MAX - 1 {
                assert_eq!(watching.count() as usize, WATCHING_SAMPLE_MAX);
            }
        }
        assert!(watching.users.lock().len() <= WATCHING_SAMPLE_MAX);
        // 32 Ki of 64 Ki in the worst case: a standard error of half a percent.
        let off = f64::from(watching.count()) / USERS as f64;
        assert!((0.97..1.03).contains(&off), "{off}");
        for number in 0..USERS {
            watching.committed(&user(number), &[ended()]);
        }
        assert_eq!(watching.count(), 0);
    }
}
