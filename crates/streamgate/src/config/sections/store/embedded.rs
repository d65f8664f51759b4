//! Settings of the embedded store.

use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig};

use crate::config::reader::{Ask, Reader};
use crate::config::sections::general::General;

/// The shortest log for which a snapshot pays, in bytes.
const SNAPSHOT_LOG_MIN_BYTES: u32 = 64 << 10;

/// The smallest segment: its space is the reserve for stops on a full disk.
const SEGMENT_MIN_BYTES: u64 = 1 << 20;

/// Reads them.
pub(super) fn read(reader: &mut Reader, general: &General) -> EmbeddedConfig {
    let default = EmbeddedConfig::new(&general.data_dir);
    let durability = Ask(
        "durability",
        "Embedded: when a start or stop is acknowledged: \"fsync\", when it is on disk (survives a \
         power loss); \"os\", when the operating system has it (survives a crash of the process); \
         \"none\", at once (a crash forgets the last moments).",
    );
    let snapshot_min_log_bytes = Ask(
        "snapshot_min_log_bytes",
        "Embedded: the log may always grow to this size before a snapshot shortens it; with much \
         live state it may grow to the size of that. More means longer restarts, less means more \
         writing.",
    );
    let snapshot_max_log_bytes = Ask(
        "snapshot_max_log_bytes",
        "Embedded: the log never grows longer than this before a snapshot, however much live state \
         there is: a restart has to read it.",
    );
    let modes = [
        DurabilityMode::Fsync,
        DurabilityMode::Os,
        DurabilityMode::None,
    ]
    .map(|mode| (mode.as_str(), mode));
    let durability = reader.choice(durability, default.durability, &modes);
    let bytes = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let min_bytes = reader.whole(
        snapshot_min_log_bytes,
        bytes(default.snapshot_min_log_bytes),
        SNAPSHOT_LOG_MIN_BYTES..=u32::MAX,
    );
    let max_bytes = reader.whole(
        snapshot_max_log_bytes,
        bytes(default.snapshot_max_log_bytes).max(min_bytes),
        min_bytes..=u32::MAX,
    );
    EmbeddedConfig {
        // The log is made of segments: none is longer than the log may be.
        segment_bytes: default
            .segment_bytes
            .min(u64::from(min_bytes))
            .max(SEGMENT_MIN_BYTES),
        durability,
        snapshot_min_log_bytes: min_bytes.into(),
        snapshot_max_log_bytes: max_bytes.into(),
        ..default
    }
}
