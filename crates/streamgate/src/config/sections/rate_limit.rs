//! `[rate_limit]`: request rates per key and per user.

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
        "Requests per second of one API key, or of one peer address for calls without a known key.",
    );
    let per_user_per_s = Ask("per_user_per_s", "Requests per second about one user.");
    RateLimitSettings {
        per_key_per_s: NonZeroU32::new(reader.whole(per_key_per_s, 0, 0..=RATE_MAX)),
        per_user_per_s: NonZeroU32::new(reader.whole(per_user_per_s, 0, 0..=RATE_MAX)),
    }
}
