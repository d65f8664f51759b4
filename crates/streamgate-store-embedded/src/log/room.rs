//! How much disk space is left for the log.
//!
//! A segment is zeroed in full before it is used, so a full disk is noticed while the segment in
//! use still has room. The rest of that segment is the reserve for changes that free slots, and for
//! revivals: a late heartbeat takes its slot back, or a viewer who is watching would be cut off. A
//! revival has the metadata of its session, so it can take as much room as forty stops.

use std::sync::atomic::{AtomicU8, Ordering};

use streamgate_store::StoreError;

/// Which changes are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Everything.
    Plenty,
    /// The next segment cannot be made. Changes that need room (starts) are refused, and the rest
    /// of the segment in use is left to stops.
    Reserve,
    /// Nothing: the segment in use is full, or the disk refuses even writes into it.
    Nothing,
}

/// The current level.
#[derive(Debug)]
pub(crate) struct Room(AtomicU8);

impl Room {
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(Level::Plenty as u8))
    }

    /// Sets the level and returns the previous one.
    pub(crate) fn set(&self, level: Level) -> Level {
        Self::read(self.0.swap(level as u8, Ordering::Relaxed))
    }

    pub(crate) fn level(&self) -> Level {
        Self::read(self.0.load(Ordering::Relaxed))
    }

    /// Whether some changes are refused.
    pub(crate) fn is_scarce(&self) -> bool {
        self.level() != Level::Plenty
    }

    fn read(level: u8) -> Level {
        match level {
            0 => Level::Plenty,
            1 => Level::Reserve,
            _ => Level::Nothing,
        }
    }
}

/// The error for a change that is refused for want of room.
pub(crate) fn full() -> StoreError {
    StoreError::Full("the disk of the data directory has no room for the log".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use streamgate_core::bounds::ATTRIBUTES_MAX;
    use streamgate_core::codec::encode_delta;
    use streamgate_core::{
        Attributes, EndReason, Ending, Event, Seconds, Session, SessionId, SessionMetadata,
        TenantId, Timestamp, UserId, UserKey,
    };

    use crate::log::frame::BatchBuf;

    const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// Bytes of the log for an event of a user and session with UUIDs that comes alone, and for the
    /// mark behind it.
    fn alone(event: Event) -> usize {
        let user = UserId::new("8a6e0804-2bd0-4672-b79d-d97027f9071a").unwrap();
        let key = UserKey::new(&TenantId::default_tenant(), &user);
        let (mut batch, mut mark) = (BatchBuf::new(), BatchBuf::new());
        batch.push(key.as_bytes(), &encode_delta(&[event]));
        batch.seal(0, 1, 0).len() + mark.seal(0, 2, 1).len()
    }

    /// docs/operations/sizing.md has these numbers.
    #[test]
    fn a_reserve_of_16_mib_holds_a_hundred_thousand_stops_or_revivals_without_metadata() {
        let id = SessionId::from_uuid_bytes([7; 16]);
        let stop = alone(Event::Ended(Ending {
            id: id.clone(),
            ended_at: NOON,
            reason: EndReason::Stopped,
            taken_by: None,
            session: None,
        }));
        assert!((130..150).contains(&stop), "{stop}");
        let revival = |metadata| {
            alone(Event::Revived(Session {
                id: id.clone(),
                started_at: NOON,
                last_seen_at: NOON,
                expires_at: NOON,
                lease: Seconds(90),
                metadata,
            }))
        };
        let bare = revival(None);
        assert!((130..165).contains(&bare), "{bare}");
        assert!((16 << 20) / stop.max(bare) > 100_000);
        let attribute = |n: usize| (format!("{n:064}").into(), "v".repeat(256).into());
        let metadata = SessionMetadata {
            attributes: Attributes::new((0..ATTRIBUTES_MAX).map(attribute).collect()).unwrap(),
            ..SessionMetadata::default()
        };
        let largest = revival(Some(Arc::new(metadata)));
        assert!((5_000..6_000).contains(&largest), "{largest}");
    }
}
