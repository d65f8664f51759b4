//! `[metrics]`: who may read the metrics.

use crate::config::reader::{Ask, Reader};

/// Reads the section: whether `/metrics` asks for a key.
pub(crate) fn read(reader: &mut Reader) -> bool {
    reader.section("[metrics]", "The page /metrics, for Prometheus.");
    let require_key = Ask(
        "require_key",
        "Whether /metrics asks for a key of scope admin. The page names no user.",
    );
    reader.flag(require_key, false)
}
