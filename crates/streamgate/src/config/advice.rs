//! Settings that are valid, but work badly together: warnings, with which the server starts.

use streamgate_clock::wall_ms;

use super::Settings;

/// The warnings, a sentence each.
pub(crate) fn of(settings: &Settings) -> Vec<String> {
    let interval_s = u64::from(settings.policy.heartbeat_interval.0);
    let idle_s = settings.server.http.header_timeout.as_secs();
    let mut advice = Vec::new();
    if interval_s >= idle_s {
        advice.push(format!(
            "players call every {interval_s} s (the heartbeat interval), and idle connections are \
             closed after {idle_s} s (http.header_timeout_s): each heartbeat needs a connection of \
             its own; set http.header_timeout_s to more than {interval_s}"
        ));
    }
    if let Some(tls) = &settings.tls {
        advice.append(&mut tls.credentials.warnings(wall_ms()));
    }
    if settings.server.http.trusted_proxies.is_everyone() {
        advice.push(
            "http.trusted_proxies has every address, so every client may choose its own: limits by \
             address hold for nobody; name the networks of the proxies only"
                .to_owned(),
        );
    }
    advice
}
