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
    /// After it is written to the operating system: it survives the death of the process, but a
    /// power loss can take back the last seconds.
    Os,
    /// At once; it is written soon after. A crash can take back the last moments.
    None,
}

/// A text that is no [`DurabilityMode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be `fsync`, `os` or `none`, is `{0}`")]
pub struct UnknownDurability(String);

impl DurabilityMode {
    /// The word for it in the configuration.
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

/// A segment holds its header and a batch at least.
const SEGMENT_MIN_BYTES: u64 = 1 << 10;

/// A queue has room while a batch is empty, and for some records.
const QUEUE_MIN_BYTES: usize = 1 << 10;

/// A batch counts its bytes in 32 bits.
const QUEUE_LIMIT_BYTES: usize = 1 << 30;

/// The settings of an [`EmbeddedStore`](crate::EmbeddedStore).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedConfig {
    /// The data directory; it is made where it is missing. One process at a time may use it.
    pub dir: PathBuf,
    /// When a durable change is acknowledged.
    pub durability: DurabilityMode,
    /// The log may always grow this long, in bytes, before a snapshot makes it short again; with
    /// much live state it may grow as long as that, up to `snapshot_max_log_bytes`.
    pub snapshot_min_log_bytes: u64,
    /// However much live state there is, the log grows no longer than this, in bytes, before a
    /// snapshot: a restart has to read it.
    pub snapshot_max_log_bytes: u64,
    /// The size of a piece of the log, in bytes. It is written with zeros and synced before it is
    /// used, so that a commit carries data and nothing else; two of them are always on disk.
    pub segment_bytes: u64,
    /// Most bytes that wait to be written. Beyond it callers wait; memory does not grow.
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

    /// The configuration with each value within what the files can hold.
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
