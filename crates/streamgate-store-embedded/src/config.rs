//! The settings of the store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// When a durable change is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DurabilityMode {
    /// After it is on disk: it survives a power loss.
    #[default]
    Fsync,
    /// After it is written to the operating system: it survives the death of the process; a power
    /// loss can take back the last seconds. The log is synced when it has been idle for a second.
    Os,
    /// Immediately; it is written soon after. A crash can take back the last moments. The log is
    /// synced only where a segment, a snapshot or a backup needs it.
    None,
}

/// An unknown name of a [`DurabilityMode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be `fsync`, `os` or `none`, is `{0}`")]
pub struct UnknownDurability(String);

impl DurabilityMode {
    /// Its name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Os => "os",
            Self::None => "none",
        }
    }
}

impl fmt::Display for DurabilityMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DurabilityMode {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Fsync, Self::Os, Self::None]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| UnknownDurability(text.to_owned()))
    }
}

/// A segment holds at least its header and a batch.
const SEGMENT_MIN_BYTES: u64 = 1 << 10;

/// A queue holds at least a few records.
const QUEUE_MIN_BYTES: usize = 1 << 10;

/// Far below 4 GiB, because a batch counts its bytes in 32 bits.
const QUEUE_LIMIT_BYTES: usize = 1 << 30;

/// The settings of an [`EmbeddedStore`](crate::EmbeddedStore).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedConfig {
    /// The data directory, created if it is missing. One process at a time may use it.
    pub dir: PathBuf,
    /// When a durable change is acknowledged.
    pub durability: DurabilityMode,
    /// The log always grows to at least this length, in bytes, before a snapshot replaces it.
    /// Beyond it, the log may grow as long as the live state, up to `snapshot_max_log_bytes`.
    pub snapshot_min_log_bytes: u64,
    /// The log never grows beyond this length, in bytes, before a snapshot: a restart has to read
    /// it.
    pub snapshot_max_log_bytes: u64,
    /// The size of a segment of the log, in bytes. A segment is filled with zeros and synced before
    /// it is used, so that a commit syncs data only. At least two are on disk at any time.
    pub segment_bytes: u64,
    /// The maximum of bytes in the queue. While it is full, calls wait (backpressure).
    pub queue_max_bytes: usize,
}

impl EmbeddedConfig {
    /// The defaults, for a data directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            durability: DurabilityMode::default(),
            snapshot_min_log_bytes: 32 << 20,
            snapshot_max_log_bytes: 256 << 20,
            segment_bytes: 16 << 20,
            queue_max_bytes: 16 << 20,
        }
    }

    /// Clamps each value to what the file formats allow.
    #[must_use]
    pub(crate) fn within_bounds(mut self) -> Self {
        self.segment_bytes = self.segment_bytes.max(SEGMENT_MIN_BYTES);
        self.queue_max_bytes = self
            .queue_max_bytes
            .clamp(QUEUE_MIN_BYTES, QUEUE_LIMIT_BYTES);
        self
    }

    /// How long the log may grow before a snapshot, with this much live state.
    pub(crate) fn log_bytes_for(&self, live_bytes: u64) -> u64 {
        live_bytes
            .min(self.snapshot_max_log_bytes)
            .max(self.snapshot_min_log_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_configuration_come_back() {
        for word in ["fsync", "os", "none"] {
            assert_eq!(word.parse::<DurabilityMode>().unwrap().to_string(), word);
        }
        let error = "always".parse::<DurabilityMode>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "must be `fsync`, `os` or `none`, is `always`"
        );
    }

    #[test]
    fn the_log_is_as_long_as_what_lives_but_neither_too_short_nor_too_long() {
        let config = EmbeddedConfig::new("data");
        let (min, max) = (config.snapshot_min_log_bytes, config.snapshot_max_log_bytes);
        assert_eq!(config.log_bytes_for(0), min);
        assert_eq!(config.log_bytes_for(min * 2), min * 2);
        assert_eq!(config.log_bytes_for(u64::MAX), max);
    }
}
