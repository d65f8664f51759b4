//! The sessions that this node admitted without the store. Bounded in number. Lost with the
//! process: no promise depends on them, and a player whose session is forgotten starts again.
//!
//! The cost of a start, a heartbeat or a stop does not depend on how many there are, also when the
//! memory is full: [`Sessions::expire`] checks a few, in the order in which their leases end.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use streamgate_core::admission::Start;
use streamgate_core::bounds::DEGRADED_SESSIONS_MAX;
use streamgate_core::{Seconds, Session, SessionId, Timestamp, UserKey};

/// How many leases a start checks: each check removes a session that has expired, or finds one that
/// was renewed. More than one, so that room is made faster than it is taken.
const EXPIRED_PER_START: usize = 4;

/// How many leases the reconciliation checks before it lets go of the lock, which starts take.
const EXPIRED_AT_ONCE: usize = 256;

/// Sessions that were admitted without the store.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    sessions: Mutex<Sessions>,
    /// How many there are, so that no call takes the lock while there are none.
    len: AtomicUsize,
}

#[derive(Debug)]
struct Remembered {
    start: Start,
    session: Session,
    /// The store is back and had no slot for it. Kept so that its next heartbeat is answered why.
    is_refused: bool,
    /// Its place in [`Sessions::by_expiry`].
    place: Place,
}

/// When the lease ends, as known when the place was given, and a number that makes it unique.
type Place = (Timestamp, u64);

#[derive(Debug, Default)]
struct Sessions {
    by_user: HashMap<UserKey, HashMap<SessionId, Remembered>>,
    /// Every session once. A renewal leaves the place as it is: [`Sessions::expire`] corrects it.
    by_expiry: BTreeMap<Place, (UserKey, SessionId)>,
    /// The number of the next place.
    next: u64,
}

impl Memory {
    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Remembers a session, or renews it if it is remembered already; `true` if it is new. `None`
    /// if it is remembered as one of another device. If the memory is full, the session is admitted
    /// and not remembered.
    pub(super) fn admit(
        &self,
        user: &UserKey,
        start: &Start,
        lease: Seconds,
        now: Timestamp,
    ) -> Option<(Session, bool)> {
        self.change(|sessions| {
            if let Some(known) = sessions.find(user, &start.id)
                && known.is_live(now)
            {
                let is_taken = known.is_taken_for(start);
                return (!is_taken).then(|| (known.renew(now), false));
            }
            let session = Session {
                id: start.id.clone(),
                started_at: now,
                last_seen_at: now,
                expires_at: now.plus(lease),
                lease,
                metadata: start.metadata.clone(),
            };
            // An expired session of this id is replaced.
            sessions.remove(user, &start.id);
            sessions.expire(now, EXPIRED_PER_START);
            if sessions.len() < DEGRADED_SESSIONS_MAX {
                sessions.insert(user, start, session.clone());
            }
            Some((session, true))
        })
    }

    /// Whether a session of this name is remembered as live on another device.
    pub(super) fn is_taken(&self, user: &UserKey, start: &Start, now: Timestamp) -> bool {
        let look = |known: &mut Remembered| known.is_live(now) && known.is_taken_for(start);
        self.with(user, &start.id, look).unwrap_or(false)
    }

    /// Renews a session that is remembered.
    pub(super) fn renew(&self, user: &UserKey, id: &SessionId, now: Timestamp) -> Option<Session> {
        self.with(user, id, |known| {
            known.is_live(now).then(|| known.renew(now))
        })?
    }

    /// The start of a session that is remembered.
    pub(super) fn find(&self, user: &UserKey, id: &SessionId, now: Timestamp) -> Option<Start> {
        self.with(user, id, |known| {
            known.is_live(now).then(|| known.start.clone())
        })?
    }

    /// The session is written to the store, which holds a slot for it or not. `true` the first
    /// time.
    pub(crate) fn mark_reconciled(&self, user: &UserKey, id: &SessionId, holds_slot: bool) -> bool {
        if holds_slot {
            return self.forget(user, id);
        }
        let refuse = |known: &mut Remembered| !std::mem::replace(&mut known.is_refused, true);
        self.with(user, id, refuse).unwrap_or(false)
    }

    /// Forgets a session. `true` if it was remembered.
    pub(crate) fn forget(&self, user: &UserKey, id: &SessionId) -> bool {
        self.len() > 0 && self.change(|sessions| sessions.remove(user, id))
    }

    /// Forgets all sessions of a user.
    pub(crate) fn forget_user(&self, user: &UserKey) {
        if self.len() > 0 {
            self.change(|sessions| sessions.remove_user(user));
        }
    }

    /// Up to `count` sessions to be written to the store. Forgets those that have expired.
    pub(super) fn pending(&self, count: usize, now: Timestamp) -> Vec<(UserKey, Start)> {
        while self.expire_some(now) == EXPIRED_AT_ONCE {}
        self.change(|sessions| {
            let all = sessions.by_user.iter();
            let all = all.flat_map(|(user, of)| of.values().map(move |known| (user, known)));
            let pending = all.filter(|(_, known)| !known.is_refused);
            pending
                .take(count)
                .map(|(user, known)| (user.clone(), known.start.clone()))
                .collect()
        })
    }

    /// Forgets some sessions that have expired; returns how many it checked.
    fn expire_some(&self, now: Timestamp) -> usize {
        self.change(|sessions| sessions.expire(now, EXPIRED_AT_ONCE))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Sessions) -> T) -> T {
        let mut sessions = self.sessions.lock();
        let changed = change(&mut sessions);
        self.len.store(sessions.len(), Ordering::Relaxed);
        changed
    }

    fn with<T>(
        &self,
        user: &UserKey,
        id: &SessionId,
        look: impl FnOnce(&mut Remembered) -> T,
    ) -> Option<T> {
        if self.len() == 0 {
            return None;
        }
        self.sessions.lock().find(user, id).map(look)
    }
}

impl Sessions {
    fn len(&self) -> usize {
        self.by_expiry.len()
    }

    fn find(&mut self, user: &UserKey, id: &SessionId) -> Option<&mut Remembered> {
        self.by_user.get_mut(user)?.get_mut(id)
    }

    /// Adds a session that is not remembered.
    fn insert(&mut self, user: &UserKey, start: &Start, session: Session) {
        let place = self.place(session.expires_at);
        let key = (user.clone(), start.id.clone());
        self.by_expiry.insert(place, key);
        let remembered = Remembered {
            start: start.clone(),
            session,
            is_refused: false,
            place,
        };
        let of_user = self.by_user.entry(user.clone()).or_default();
        of_user.insert(start.id.clone(), remembered);
    }

    /// Removes a session. `true` if it was remembered.
    fn remove(&mut self, user: &UserKey, id: &SessionId) -> bool {
        let Some(of_user) = self.by_user.get_mut(user) else {
            return false;
        };
        let Some(known) = of_user.remove(id) else {
            return false;
        };
        if of_user.is_empty() {
            self.by_user.remove(user);
        }
        self.by_expiry.remove(&known.place);
        true
    }

    fn remove_user(&mut self, user: &UserKey) {
        for known in self.by_user.remove(user).into_iter().flatten() {
            self.by_expiry.remove(&known.1.place);
        }
    }

    /// Removes expired sessions, checking `at_most` places that are due; returns how many it
    /// checked.
    fn expire(&mut self, now: Timestamp, at_most: usize) -> usize {
        let mut looked_at = 0;
        while looked_at < at_most
            && let Some(first) = self.by_expiry.first_entry()
            && first.key().0 <= now
        {
            looked_at += 1;
            let (user, id) = first.remove();
            let expires_at = self.find(&user, &id).map(|known| known.session.expires_at);
            let Some(expires_at) = expires_at.filter(|at| *at > now) else {
                self.remove(&user, &id);
                continue;
            };
            let place = self.place(expires_at);
            if let Some(known) = self.find(&user, &id) {
                known.place = place;
            }
            self.by_expiry.insert(place, (user, id));
        }
        looked_at
    }

    /// A place that no other session has.
    fn place(&mut self, expires_at: Timestamp) -> Place {
        self.next += 1;
        (expires_at, self.next)
    }
}

impl Remembered {
    fn is_live(&self, now: Timestamp) -> bool {
        self.session.is_live(now)
    }

    /// Whether a start of another device has the id of this session. A session that the store had
    /// no slot for does not keep its id.
    fn is_taken_for(&self, start: &Start) -> bool {
        !self.is_refused && start.differs_in_device(&self.session)
    }

    fn renew(&mut self, now: Timestamp) -> Session {
        self.session.last_seen_at = now;
        self.session.expires_at = now.plus(self.session.lease);
        self.session.clone()
    }
}

#[cfg(test)]
mod tests {
    use streamgate_core::{TenantId, UserId};

    use super::*;

    const LEASE: Seconds = Seconds(90);

    fn user(number: usize) -> UserKey {
        let id = UserId::new(format!("u{number}")).unwrap();
        UserKey::new(&TenantId::default_tenant(), &id)
    }

    fn start(number: usize) -> Start {
        Start::new(SessionId::new(&format!("s{number}")).unwrap())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000)
    }

    /// Half of them start at 0 s and half at 10 s; those of the first half are renewed at 20 s.
    fn full() -> Memory {
        let memory = Memory::default();
        for number in 0..DEGRADED_SESSIONS_MAX {
            let half = number / (DEGRADED_SESSIONS_MAX / 2);
            memory.admit(&user(number), &start(number), LEASE, at(10 * half as u64));
        }
        for number in 0..DEGRADED_SESSIONS_MAX / 2 {
            let renewed = memory.renew(&user(number), &start(number).id, at(20));
            assert!(renewed.is_some());
        }
        assert_eq!(memory.len(), DEGRADED_SESSIONS_MAX);
        memory
    }

    #[test]
    fn a_start_checks_few_leases_of_a_full_memory() {
        let memory = full();
        let looked_at = |seconds| {
            let mut sessions = memory.sessions.lock();
            sessions.expire(at(seconds), EXPIRED_PER_START)
        };
        assert_eq!(looked_at(50), 0, "no lease can be over");
        assert_eq!(
            looked_at(95),
            EXPIRED_PER_START,
            "all of these were renewed"
        );
        for number in DEGRADED_SESSIONS_MAX..DEGRADED_SESSIONS_MAX + 1_000 {
            let admitted = memory.admit(&user(number), &start(number), LEASE, at(50));
            let (_, is_new) = admitted.expect("its id is its own");
            assert!(is_new, "it is admitted, and not remembered");
        }
        assert_eq!(memory.len(), DEGRADED_SESSIONS_MAX);
    }

    /// Each step takes the lock for itself.
    #[test]
    fn reconciliation_forgets_what_is_over_in_steps() {
        let memory = full();
        assert_eq!(memory.expire_some(at(1_000)), EXPIRED_AT_ONCE);
        assert_eq!(memory.len(), DEGRADED_SESSIONS_MAX - EXPIRED_AT_ONCE);
        memory.pending(1, at(1_000));
        assert_eq!(memory.len(), 0);
    }

    #[test]
    fn a_full_memory_forgets_expired_sessions() {
        let memory = full();
        // At 105 s the second half is over. A quarter of the looks finds it behind the renewed
        // ones.
        for number in DEGRADED_SESSIONS_MAX..2 * DEGRADED_SESSIONS_MAX {
            memory.admit(&user(number), &start(number), LEASE, at(105));
        }
        let last = 2 * DEGRADED_SESSIONS_MAX - 1;
        assert_eq!(memory.len(), DEGRADED_SESSIONS_MAX);
        let first_half = memory.find(&user(0), &start(0).id, at(105));
        assert!(first_half.is_some(), "what was renewed is remembered");
        let second_half = user(DEGRADED_SESSIONS_MAX - 1);
        let is_known = memory.sessions.lock().by_user.contains_key(&second_half);
        assert!(!is_known, "what is over has made room");
        assert!(memory.find(&user(last), &start(last).id, at(105)).is_none());
        assert_eq!(memory.pending(usize::MAX, at(105)).len(), memory.len());
        assert!(memory.pending(1, at(1_000)).is_empty());
        assert_eq!(memory.len(), 0);
    }

    #[test]
    fn a_forgotten_session_leaves_nothing_in_the_memory() {
        let memory = Memory::default();
        for _ in 0..3 {
            for number in 0..10 {
                memory.admit(&user(1), &start(number), LEASE, at(0));
            }
            assert!(memory.forget(&user(1), &start(3).id));
            assert!(!memory.forget(&user(1), &start(3).id));
            assert_eq!(memory.len(), 9);
            memory.forget_user(&user(1));
            assert_eq!(memory.len(), 0);
            assert!(memory.sessions.lock().by_user.is_empty());
        }
    }
}
