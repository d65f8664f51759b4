//! `[engine]`: the deadline of calls of the store, and the answers without it.

use std::time::Duration;

use streamgate_engine::{EngineSettings, FailMode};

use crate::config::reader::{Ask, Reader};

/// The modes as they are written.
const FAIL_MODE_WORDS: [(&str, FailMode); 2] =
    [("closed", FailMode::Closed), ("open", FailMode::Open)];

/// Reads the section: the deadline of a call, and what is answered without the store.
pub(crate) fn read(reader: &mut Reader) -> (Duration, FailMode) {
    reader.section("[engine]", "Calls of the store: deadline and fail mode.");
    let default = EngineSettings::default();
    let deadline_ms = Ask(
        "deadline_ms",
        "Maximum time a request waits for the store, in milliseconds. After it the answer is 503, \
         or degraded with fail_mode \"open\".",
    );
    let fail_mode = Ask(
        "fail_mode",
        "Answers while the store cannot be used. \"closed\": 503, limits hold. \"open\": starts \
         are admitted and marked \"degraded\", also while the store refuses (full, may evict \
         keys) or the clock of the node is wrong; limits hold again when the store is back. Stops, \
         lists and user changes are 503 in both modes. Starts announce \"open\" to players, which \
         then also play while they cannot reach any node.",
    );
    (
        reader.millis(deadline_ms, default.deadline, 10..=60_000),
        reader.choice(fail_mode, FailMode::default(), &FAIL_MODE_WORDS),
    )
}
