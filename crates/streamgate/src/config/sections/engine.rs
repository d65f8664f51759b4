//! `[engine]`: how long to wait for the store, and what to answer without it.

use std::time::Duration;

use streamgate_engine::{EngineSettings, FailMode};

use crate::config::reader::{Ask, Reader};

/// The modes as they are written.
const FAIL_MODE_WORDS: [(&str, FailMode); 2] =
    [("closed", FailMode::Closed), ("open", FailMode::Open)];

/// Reads the section: the deadline of a call, and what is answered without the store.
pub(crate) fn read(reader: &mut Reader) -> (Duration, FailMode) {
    reader.section("[engine]", "Running decisions on the store.");
    let default = EngineSettings::default();
    let deadline_ms = Ask(
        "deadline_ms",
        "How long a request may wait for the store, in milliseconds; then it is answered 503, or \
         without the store.",
    );
    let fail_mode = Ask(
        "fail_mode",
        "What players are answered while the store cannot be used: \"closed\" answers 503, and limits \
         hold; \"open\" lets everybody in, marked \"degraded\", and limits hold again when the store is \
         back. Stops, lists and changes of users are 503 in both.",
    );
    let deadline = u32::try_from(default.deadline.as_millis()).unwrap_or(u32::MAX);
    let deadline = Duration::from_millis(reader.whole(deadline_ms, deadline, 10..=60_000).into());
    (
        deadline,
        reader.choice(fail_mode, FailMode::default(), &FAIL_MODE_WORDS),
    )
}
