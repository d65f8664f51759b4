//! `[metrics]`: whether the metrics require a key.

use crate::config::reader::{Ask, Reader};

/// Reads the section: whether `/metrics` requires a key.
pub(crate) fn read(reader: &mut Reader) -> bool {
    reader.section("[metrics]", "The page /metrics, for Prometheus.");
    let require_key = Ask(
        "require_key",
        "Whether /metrics requires a key of scope admin. The page contains no user ids.",
    );
    reader.flag(require_key, false)
}
