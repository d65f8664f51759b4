//! From the time of the lease clock to wall-clock time.

use streamgate_core::{Session, Timestamp};

/// Converts times of the store to wall-clock time. Made anew for each answer, because the wall
/// clock may be set at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wall {
    offset_ms: i64,
}

impl Wall {
    pub(crate) const fn ahead_by(offset_ms: i64) -> Self {
        Self { offset_ms }
    }

    /// This time as answers show it; 1970 if it would be earlier.
    #[must_use]
    pub const fn show(self, time: Timestamp) -> Timestamp {
        let ms = time.as_millis().saturating_add_signed(self.offset_ms);
        Timestamp::from_millis(ms)
    }

    /// From a clock that is `offset_ms` behind the wall clock to the store's.
    pub(crate) const fn ahead_of(self, offset_ms: i64) -> Self {
        Self::ahead_by(offset_ms.saturating_sub(self.offset_ms))
    }

    /// The same for the times of a session.
    pub(crate) fn show_session(self, session: Session) -> Session {
        Session {
            started_at: self.show(session.started_at),
            last_seen_at: self.show(session.last_seen_at),
            expires_at: self.show(session.expires_at),
            ..session
        }
    }
}
