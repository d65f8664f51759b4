//! `[engine]`: how long to wait for the store.

use std::time::Duration;

use streamgate_engine::EngineSettings;

use crate::config::reader::{Ask, Reader};

/// Reads the section: the deadline of a call.
pub(crate) fn read(reader: &mut Reader) -> Duration {
    reader.section("[engine]", "Running decisions on the store.");
    let default = EngineSettings::default();
    let deadline_ms = Ask(
        "deadline_ms",
        "How long a request may wait for the store, in milliseconds; then it is answered 503.",
    );
    let deadline = u32::try_from(default.deadline.as_millis()).unwrap_or(u32::MAX);
    Duration::from_millis(reader.whole(deadline_ms, deadline, 10..=60_000).into())
}
