//! `[rate_limit]`: request rates per key, per user and per address.

use std::num::NonZeroU32;

use streamgate_server::RateLimitSettings;

use crate::config::reader::{Ask, Reader};

/// The highest rate: more than one machine can answer.
const RATE_MAX: u32 = 1_000_000;

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> RateLimitSettings {
    reader.section(
        "[rate_limit]",
        "Request rates. 0 is no limit. Requests above a rate get 429 with Retry-After.",
    );
    let per_key_per_s = Ask(
        "per_key_per_s",
        "Requests per second of one API key, or of one client address (one /64 for IPv6) for calls \
         without a key.",
    );
    let per_user_per_s = Ask("per_user_per_s", "Requests per second about one user.");
    let viewer_per_user_per_s = Ask(
        "viewer_per_user_per_s",
        "Requests per second with viewer tokens of one user, all its devices together, and as many \
         at once. An event stream counts as one request.",
    );
    let failed_auth_per_address_per_min = Ask(
        "failed_auth_per_address_per_min",
        "Answers 401 per minute to one client address (one /64 for IPv6), and as many at once; \
         further ones are 429. Above it a token is refused before its signature is verified, \
         unless it was verified before. Valid keys are never refused. Behind a proxy set \
         http.trusted_proxies, else its clients count as one.",
    );
    let default = RateLimitSettings::default();
    let mut rate = |ask, default: Option<NonZeroU32>| {
        let default = default.map_or(0, NonZeroU32::get);
        NonZeroU32::new(reader.whole(ask, default, 0..=RATE_MAX))
    };
    RateLimitSettings {
        per_key_per_s: rate(per_key_per_s, default.per_key_per_s),
        per_user_per_s: rate(per_user_per_s, default.per_user_per_s),
        viewer_per_user_per_s: rate(viewer_per_user_per_s, default.viewer_per_user_per_s),
        failed_auth_per_address_per_min: rate(
            failed_auth_per_address_per_min,
            default.failed_auth_per_address_per_min,
        ),
    }
}
