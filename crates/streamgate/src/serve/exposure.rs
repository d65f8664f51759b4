//! Checks that an API without keys and issuers is not reachable by accident.

use streamgate_server::{DialectName, dialects_without_key};

use crate::config::Settings;
use crate::exit::{Code, Failure};

/// Whether callers need no credential: there are neither keys nor issuers of tokens.
pub(crate) fn is_open(settings: &Settings) -> bool {
    settings.server.keys.is_open() && settings.tokens.issuers.is_empty()
}

/// Fails unless the server is on loopback, has keys or issuers, or is set to allow anonymous calls.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let listen = settings.general.listen;
    // An IPv4-mapped IPv6 address counts as its IPv4 address.
    let is_local = listen.ip().to_canonical().is_loopback();
    if is_local || !is_open(settings) || settings.general.allow_anonymous {
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

/// Logs a warning that names the dialects that serve callers without a key although keys or issuers
/// exist.
pub(super) fn warn_of_open_dialects(settings: &Settings) {
    let open = dialects_without_key(&settings.server.compat);
    if is_open(settings) || open.is_empty() {
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
