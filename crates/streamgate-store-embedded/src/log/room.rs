//! How much disk space is left for the log.
//!
//! A segment is zeroed in full before it is used, so a full disk is noticed while the segment in
//! use still has room. The rest of that segment is the reserve for changes that free slots.

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
