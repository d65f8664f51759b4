//! How much room the log has. A segment is made whole before it is used, so a full disk is found
//! while there is a segment left to write in: that is the reserve, for all that frees slots.

use std::sync::atomic::{AtomicU8, Ordering};

use streamgate_store::StoreError;

/// What is written still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Everything.
    Plenty,
    /// No next segment can be made. What needs room is refused, so that the rest of this segment is
    /// left to stops.
    Reserve,
    /// Nothing: the segment is full, or the disk has no room for what is written into it.
    Nothing,
}

/// The level that holds now.
#[derive(Debug)]
pub(crate) struct Room(AtomicU8);

impl Room {
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(Level::Plenty as u8))
    }

    /// Sets the level, and returns the one before.
    pub(crate) fn set(&self, level: Level) -> Level {
        Self::read(self.0.swap(level as u8, Ordering::Relaxed))
    }

    pub(crate) fn level(&self) -> Level {
        Self::read(self.0.load(Ordering::Relaxed))
    }

    /// Whether there is less than plenty.
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

/// The error of a change for which there is no room.
pub(crate) fn full() -> StoreError {
    StoreError::Full("the disk of the data directory has no room for the log".to_owned())
}
