//! Refusing to stand open to a network by accident.

use crate::config::Settings;
use crate::exit::{Code, Failure};

/// Whether the settings may be served: on loopback always, elsewhere only with keys, or where an
/// operator said that everybody may call.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let listen = settings.general.listen;
    let has_keys = !settings.server.keys.is_open();
    // An IPv4 address written in IPv6 is what it stands for.
    if listen.ip().to_canonical().is_loopback() || has_keys || settings.general.allow_anonymous {
        return Ok(());
    }
    Err(Failure::new(
        Code::Usage,
        format!(
            "refusing to listen on {listen} without API keys: everybody who can reach that address \
             could start and end anybody's sessions"
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
