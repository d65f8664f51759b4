//! The sessions that this node admitted without the store. Bounded; lost with the process, because
//! nothing rests on it: a player whose session nobody remembers starts again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use streamgate_core::admission::Start;
use streamgate_core::bounds::DEGRADED_SESSIONS_MAX;
use streamgate_core::{Seconds, Session, SessionId, Timestamp, UserKey};

/// Sessions that were admitted without the store.
#[derive(Debug, Default)]
pub(super) struct Memory {
    sessions: Mutex<HashMap<(UserKey, SessionId), Remembered>>,
    /// How many there are; so that nobody takes the lock while there are none.
    len: AtomicUsize,
}

#[derive(Debug)]
struct Remembered {
    start: Start,
    session: Session,
    /// The store is back and had no slot for it. Kept so that its player is told why.
    is_refused: bool,
}

impl Memory {
    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Remembers a session, or renews it where it is remembered already; whether it is new. Where
    /// the memory is full, the session is admitted all the same.
    pub(super) fn admit(
        &self,
        user: &UserKey,
        start: &Start,
        lease: Seconds,
        now: Timestamp,
    ) -> (Session, bool) {
        let key = (user.clone(), start.id.clone());
        let mut sessions = self.sessions.lock();
        if let Some(known) = sessions.get_mut(&key).filter(|known| known.is_live(now)) {
            return (known.renew(now), false);
        }
        let session = Session {
            id: start.id.clone(),
            started_at: now,
            last_seen_at: now,
            expires_at: now.plus(lease),
            lease,
            facts: start.facts.clone(),
        };
        if sessions.len() >= DEGRADED_SESSIONS_MAX {
            sessions.retain(|_, known| known.is_live(now));
        }
        if sessions.len() < DEGRADED_SESSIONS_MAX {
            let remembered = Remembered {
                start: start.clone(),
                session: session.clone(),
                is_refused: false,
            };
            sessions.insert(key, remembered);
        }
        self.len.store(sessions.len(), Ordering::Relaxed);
        (session, true)
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

    /// The store has heard of a session, and holds a slot for it or not. Whether that is news.
    pub(super) fn settle(&self, user: &UserKey, id: &SessionId, holds_slot: bool) -> bool {
        if holds_slot {
            return self.forget(user, id);
        }
        let refuse = |known: &mut Remembered| !std::mem::replace(&mut known.is_refused, true);
        self.with(user, id, refuse).unwrap_or(false)
    }

    /// Forgets a session; whether it was remembered.
    pub(super) fn forget(&self, user: &UserKey, id: &SessionId) -> bool {
        if self.len() == 0 {
            return false;
        }
        let mut sessions = self.sessions.lock();
        let was_known = sessions.remove(&(user.clone(), id.clone())).is_some();
        self.len.store(sessions.len(), Ordering::Relaxed);
        was_known
    }

    /// Forgets all sessions of a user.
    pub(super) fn forget_user(&self, user: &UserKey) {
        if self.len() == 0 {
            return;
        }
        let mut sessions = self.sessions.lock();
        sessions.retain(|(other, _), _| other != user);
        self.len.store(sessions.len(), Ordering::Relaxed);
    }

    /// Up to `count` sessions that the store should hear of. Forgets those that are over.
    pub(super) fn pending(&self, count: usize, now: Timestamp) -> Vec<(UserKey, Start)> {
        let mut sessions = self.sessions.lock();
        sessions.retain(|_, known| known.is_live(now));
        self.len.store(sessions.len(), Ordering::Relaxed);
        let pending = sessions.iter().filter(|(_, known)| !known.is_refused);
        pending
            .take(count)
            .map(|((user, _), known)| (user.clone(), known.start.clone()))
            .collect()
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
        let mut sessions = self.sessions.lock();
        sessions.get_mut(&(user.clone(), id.clone())).map(look)
    }
}

impl Remembered {
    fn is_live(&self, now: Timestamp) -> bool {
        self.session.is_live(now)
    }

    fn renew(&mut self, now: Timestamp) -> Session {
        self.session.last_seen_at = now;
        self.session.expires_at = now.plus(self.session.lease);
        self.session.clone()
    }
}
