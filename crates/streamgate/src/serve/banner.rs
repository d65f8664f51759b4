//! The banner of a server: its address, and calls to try.

use streamgate_server::telemetry::LogFormat;

use super::exposure;
use crate::config::Settings;
use crate::output;

/// Prints it to standard output, or logs one line if the log is JSON.
pub(super) fn print(settings: &Settings, url: &str) {
    let is_open = exposure::is_open(settings);
    if settings.log.format == LogFormat::Json {
        tracing::info!(
            store = settings.store.summary(),
            open = is_open,
            "listening on {url}"
        );
        return;
    }
    tracing::debug!("listening on {url}; signals are handled");
    output::text_unawaited(text(settings, url, is_open));
}

fn text(settings: &Settings, url: &str, is_open: bool) -> String {
    let policy = &settings.policy;
    let (who, key) = match (is_open, settings.server.keys.is_open()) {
        (true, _) => ("open to anyone who can reach it", ""),
        (false, false) => (
            "callers need an API key",
            " -H \"x-api-key: $STREAMGATE_KEY\"",
        ),
        (false, true) => (
            "callers need a viewer token",
            " -H \"authorization: Bearer $TOKEN\"",
        ),
    };
    let users = format!("{url}/v1/users/anna");
    let curl = match &settings.tls {
        Some(_) => format!("curl --cacert FILE{key}"),
        None => format!("curl{key}"),
    };
    format!(
        "\
Streamgate {version}
listening on {url}
  {who}; {data}
  {limit} sessions a user at once, lease {lease} s, heartbeat every {interval} s

Try it:
  {curl} -X PUT {users}/sessions/tv
  {curl} -X POST {users}/sessions/tv/heartbeat
  {curl} {users}/sessions
  {curl} -X DELETE {users}/sessions/tv
{pages}

",
        version = env!("CARGO_PKG_VERSION"),
        data = settings.store.summary(),
        pages = pages(settings, url),
        limit = policy.default_limit,
        lease = policy.lease.0,
        interval = policy.heartbeat_interval.0,
    )
}

/// What there is for a browser: the front page leads to the rest.
fn pages(settings: &Settings, url: &str) -> String {
    match settings.server.compat.root {
        None => format!("In a browser: {url}/"),
        Some(_) => format!("The API in a browser: {url}/docs/"),
    }
}
