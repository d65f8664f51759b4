//! Checks that an API without keys is not reachable by accident.

use streamgate_server::{DialectName, dialects_without_key};

use crate::config::Settings;
use crate::exit::{Code, Failure};

/// Fails unless the server is on loopback, has keys, or is set to allow anonymous calls.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let listen = settings.general.listen;
    let has_keys = !settings.server.keys.is_open();
    // An IPv4-mapped IPv6 address counts as its IPv4 address.
    if listen.ip().to_canonical().is_loopback() || has_keys || settings.general.allow_anonymous {
        return Ok(());
    }
    Err(Failure::new(
        Code::Usage,
        format!(
            "refusing to listen on {listen} without API keys: anyone who can reach that address \
             could start and end all sessions"
        ),
    )
    .hint(
        "one of these:\n  \
         make a key with `streamgate key new`, put the [[keys]] table that it prints into a file, \
         and add --config FILE\n  \
         serve this machine only: --listen 127.0.0.1:8080\n  \
         if the network is trusted: --allow-anonymous (or STREAMGATE_ALLOW_ANONYMOUS=true)",
    ))
}

/// Logs a warning that names the dialects that serve callers without a key although keys exist.
pub(super) fn warn_of_open_dialects(settings: &Settings) {
    let open = dialects_without_key(&settings.server.compat);
    if settings.server.keys.is_open() || open.is_empty() {
        return;
    }
    let open: Vec<&str> = open.into_iter().map(DialectName::as_str).collect();
    tracing::warn!(
        dialects = open.join(", "),
        "compat.require_key is false: these dialects ask for no API key, and anyone who can reach \
         this address may use them; unless that is meant, remove the setting, or leave them out of \
         compat.dialects"
    );
}
