//! `[sweep]`: garbage collection of expired sessions.

use std::time::Duration;

use streamgate_engine::EngineSettings;

use crate::config::reader::{Ask, Reader};

/// Reads the section: the duration of one pass.
pub(crate) fn read(reader: &mut Reader) -> Duration {
    reader.section(
        "[sweep]",
        "Background removal of expired sessions, which frees memory and reports them. No answer \
         depends on it.",
    );
    let interval_s = Ask(
        "interval_s",
        "Minimum duration of one pass over all users, in seconds.",
    );
    let default = EngineSettings::default().sweep_interval;
    reader.seconds(interval_s, default, 1..=3_600)
}
