//! `[push]`: bounds of event streams.

use streamgate_server::PushSettings;

use crate::config::reader::{Ask, Reader};

/// Most streams of one process.
const STREAMS_MAX: u32 = 1_000_000;

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> PushSettings {
    reader.section(
        "[push]",
        "Event streams (server-sent events), which tell clients at once.",
    );
    let max_streams = Ask(
        "max_streams",
        "Maximum number of open event streams, at most three quarters of http.max_connections; \
         further ones get 503 with Retry-After.",
    );
    let max_streams_per_user = Ask(
        "max_streams_per_user",
        "Maximum number of open event streams about one user and its sessions; further ones get \
         429 with Retry-After.",
    );
    let max_streams_per_tenant = Ask(
        "max_streams_per_tenant",
        "Maximum number of open event streams about all users of one tenant; further ones get 429 \
         with Retry-After.",
    );
    let default = PushSettings::default();
    PushSettings {
        max_streams: reader.size(max_streams, default.max_streams, 0..=STREAMS_MAX),
        max_streams_per_user: reader.size(
            max_streams_per_user,
            default.max_streams_per_user,
            1..=10_000,
        ),
        max_streams_per_tenant: reader.size(
            max_streams_per_tenant,
            default.max_streams_per_tenant,
            1..=1_000,
        ),
    }
}
